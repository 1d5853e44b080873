// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Script, console} from "forge-std/Script.sol";
import {stdJson} from "forge-std/StdJson.sol";
import {CAI} from "../contracts/CAI.sol";

/// @title Sends CAI to the accounts that the network's admins grant a stake.
/// @notice RECIPIENTS=0x..,0x.. AMOUNTS=20100000000000000000000,.. forge script script/Grant.s.sol --rpc-url <url> --broadcast --account <keystore>
/// @dev Environment: RECIPIENTS and AMOUNTS (CAI wei), comma-separated, or GRANTS, path of a JSON file in script/config/
/// {"recipients": ["0x.."], "amounts": ["20100000000000000000000"]}; DEPLOYMENT, path of another file than
/// deployments/<chain id>.json.
contract Grant is Script {
    using stdJson for string;

    /// @notice As many recipients as amounts are needed, and one at least.
    error LengthMismatch(uint256 recipients, uint256 amounts);
    /// @notice The sender holds less than all grants together.
    error InsufficientFunds(address sender, uint256 available, uint256 required);
    /// @notice There is no deployment file for this chain.
    error DeploymentMissing(string path);

    function run() external {
        string memory path = string.concat(vm.projectRoot(), "/deployments/", vm.toString(block.chainid), ".json");
        path = vm.envOr("DEPLOYMENT", path);
        if (!vm.exists(path)) revert DeploymentMissing(path);
        CAI cai = CAI(vm.readFile(path).readAddress(".contracts.cai"));
        (address[] memory recipients, uint256[] memory amounts) = _grants();

        vm.startBroadcast();
        (, address sender,) = vm.readCallers();
        grant(cai, sender, recipients, amounts);
        vm.stopBroadcast();
    }

    /// @notice Sends as `sender`, which is the sender of the calls that follow.
    function grant(CAI cai, address sender, address[] memory recipients, uint256[] memory amounts) public {
        if (recipients.length != amounts.length || recipients.length == 0) {
            revert LengthMismatch(recipients.length, amounts.length);
        }
        uint256 total;
        for (uint256 i; i < amounts.length; ++i) {
            total += amounts[i];
        }
        uint256 held = cai.balanceOf(sender);
        if (held < total) revert InsufficientFunds(sender, held, total);
        for (uint256 i; i < recipients.length; ++i) {
            require(cai.transfer(recipients[i], amounts[i]));
            console.log("granted", recipients[i], amounts[i]);
        }
    }

    function _grants() internal view returns (address[] memory recipients, uint256[] memory amounts) {
        string memory file = vm.envOr("GRANTS", string(""));
        if (bytes(file).length == 0) return (vm.envAddress("RECIPIENTS", ","), vm.envUint("AMOUNTS", ","));
        string memory json = vm.readFile(file);
        recipients = json.readAddressArray(".recipients");
        amounts = json.readUintArray(".amounts");
    }
}
