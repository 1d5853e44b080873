// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {console} from "forge-std/Script.sol";
import {stdJson} from "forge-std/StdJson.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {IDisputes} from "../contracts/interfaces/IDisputes.sol";
import {IPayments} from "../contracts/interfaces/IPayments.sol";
import {IStaking} from "../contracts/interfaces/IStaking.sol";
import {Configured} from "./Config.sol";

/// @title What the network's owner, a timelock, does: announced first, executed after the delay.
/// @notice forge script script/Operate.s.sol --sig 'listModel(bytes32)' 0x... --rpc-url <url> --broadcast --account <proposer>
/// Run it once to announce, and again, with the same arguments, once the delay is over, to execute.
/// @dev Environment: DEPLOYMENT, path of another file than deployments/<chain id>.json; SALT (bytes32), another one to announce again what
/// was executed before.
contract Operate is Configured {
    using stdJson for string;

    /// @notice There is no deployment file for this chain.
    error DeploymentMissing(string path);
    /// @notice Announced, and can be executed from `readyAt` (seconds) on.
    error NotReady(uint256 readyAt, uint256 current);
    /// @notice Executed already: to do it again, set another SALT.
    error AlreadyDone(bytes32 operation);

    // ---- Disputes

    /// @notice Results of the model can be disputed from then on.
    function listModel(bytes32 modelId) external {
        _operate(_contract("disputes"), abi.encodeCall(IDisputes.setModel, (modelId, true)));
    }

    function unlistModel(bytes32 modelId) external {
        _operate(_contract("disputes"), abi.encodeCall(IDisputes.setModel, (modelId, false)));
    }

    /// @notice Disputes that open from then on have the parameters of the chain's config (or of CONFIG).
    function setDisputeParameters() external {
        string memory path = string.concat(vm.projectRoot(), "/script/config/", vm.toString(block.chainid), ".json");
        bytes memory data = abi.encodeCall(IDisputes.setParameters, (readConfig(vm.envOr("CONFIG", path)).disputes));
        _operate(_contract("disputes"), data);
    }

    // ---- Staking

    /// @notice The slasher can open disputes after unbonding plus an epoch from the execution on.
    function proposeSlasher(address slasher) external {
        _operate(_contract("staking"), abi.encodeCall(IStaking.proposeSlasher, (slasher)));
    }

    function retireSlasher(address slasher) external {
        _operate(_contract("staking"), abi.encodeCall(IStaking.retireSlasher, (slasher)));
    }

    function setGuardian(address guardian) external {
        _operate(_contract("staking"), abi.encodeCall(IStaking.setGuardian, (guardian)));
    }

    /// @notice By the timelock, so after its delay; in an emergency the guardian calls `pauseEntry` itself.
    function pauseEntry(uint256 until) external {
        _operate(_contract("staking"), abi.encodeCall(IStaking.pauseEntry, (until)));
    }

    // ---- Payments

    function setBurnFee(uint256 burnFee) external {
        _operate(_contract("payments"), abi.encodeCall(IPayments.setBurnFee, (burnFee)));
    }

    function setNoticePeriod(uint256 noticePeriod) external {
        _operate(_contract("payments"), abi.encodeCall(IPayments.setNoticePeriod, (noticePeriod)));
    }

    // ---- the timelock

    function _operate(address target, bytes memory data) internal {
        TimelockController timelock = TimelockController(payable(_contract("timelock")));
        bytes32 salt = vm.envOr("SALT", bytes32(0));
        vm.startBroadcast();
        operate(timelock, target, data, salt);
        vm.stopBroadcast();
    }

    /// @notice Takes the operation as far as it can go now; the caller is a proposer.
    function operate(TimelockController timelock, address target, bytes memory data, bytes32 salt) public {
        bytes32 id = timelock.hashOperation(target, 0, data, 0, salt);
        if (timelock.isOperationDone(id)) revert AlreadyDone(id);
        uint256 delay = timelock.getMinDelay();
        if (!timelock.isOperation(id)) {
            timelock.schedule(target, 0, data, 0, salt, delay);
            if (delay != 0) {
                console.log("announced; to be executed from (seconds)", block.timestamp + delay);
                return;
            }
        } else if (!timelock.isOperationReady(id)) {
            revert NotReady(timelock.getTimestamp(id), block.timestamp);
        }
        timelock.execute(target, 0, data, 0, salt);
        console.log("executed");
    }

    function _contract(string memory name) internal view returns (address) {
        string memory path = string.concat(vm.projectRoot(), "/deployments/", vm.toString(block.chainid), ".json");
        path = vm.envOr("DEPLOYMENT", path);
        if (!vm.exists(path)) revert DeploymentMissing(path);
        return vm.readFile(path).readAddress(string.concat(".contracts.", name));
    }
}
