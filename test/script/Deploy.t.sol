// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {stdJson} from "forge-std/StdJson.sol";
import {Role} from "../../contracts/interfaces/Messages.sol";
import {Deploy} from "../../script/Deploy.s.sol";
import {Grant} from "../../script/Grant.s.sol";

/// @dev The scripts' parts, called as a broadcast calls them: by the deployer.
contract DeployTest is Test {
    using stdJson for string;

    // The artefact, so that it need not be compiled into this contract as well.
    Deploy internal script = Deploy(deployCode("Deploy.s.sol:Deploy"));

    function _config(uint256 chain) internal returns (Deploy.Config memory) {
        vm.chainId(chain);
        return script.readConfig(string.concat("script/config/", vm.toString(chain), ".json"));
    }

    function test_everyNetworksConfigDeploys() public {
        uint256[3] memory chains = [uint256(31337), 1210, 1200];
        for (uint256 i; i < chains.length; ++i) {
            Deploy.Config memory c = _config(chains[i]);
            if (!c.hasFaucet) c.treasury = makeAddr("treasury");
            Deploy.Deployment memory d = script.deploy(c, address(script));
            assertEq(d.staking.registry(), address(d.registry));
            assertEq(address(d.registry.staking()), address(d.staking));
            assertEq(address(d.payments.registry()), address(d.registry));
            assertEq(address(d.staking.cai()), address(d.cai));
            assertEq(d.staking.epochLength(), c.epochLength);
            assertEq(d.staking.minStake(Role.Miner), 20_000e18);
            assertEq(d.staking.minStake(Role.Coordinator), 2_000_000e18);
            assertEq(d.payments.burnFee(), 0.02e18);
            assertEq(d.lens.network().domainSeparator, d.registry.domainSeparator());
            assertEq(address(d.faucet) != address(0), chains[i] != 1200);
            if (c.hasFaucet) assertEq(d.cai.balanceOf(address(d.faucet)), c.faucetFunding);
            else assertEq(d.cai.balanceOf(c.treasury), d.cai.totalSupply());
        }
    }

    function test_epochsAreAsPublished() public {
        assertEq(_config(31337).epochLength, 60);
        assertEq(_config(1210).epochLength, 1 days);
        assertEq(_config(1200).epochLength, 7 days);
    }

    function test_writesTheAddresses() public {
        Deploy.Deployment memory d = script.deploy(_config(31337), address(script));
        string memory json = script.toJson(d, 42);
        assertEq(json.readUint(".chain_id"), 31337);
        assertEq(json.readUint(".block"), 42);
        assertEq(json.readAddress(".contracts.cai"), address(d.cai));
        assertEq(json.readAddress(".contracts.faucet"), address(d.faucet));
        assertEq(json.readAddress(".contracts.staking"), address(d.staking));
        assertEq(json.readAddress(".contracts.registry"), address(d.registry));
        assertEq(json.readAddress(".contracts.payments"), address(d.payments));
        assertEq(json.readAddress(".contracts.lens"), address(d.lens));
    }

    function test_refusesAnotherChainsConfig() public {
        vm.chainId(31337);
        vm.expectRevert(abi.encodeWithSelector(Deploy.ChainMismatch.selector, 1210, 31337));
        script.readConfig("script/config/1210.json");
    }

    function test_refusesWithoutConfig() public {
        vm.expectRevert(abi.encodeWithSelector(Deploy.ConfigMissing.selector, "script/config/5.json"));
        script.readConfig("script/config/5.json");
    }

    function test_theMainNetworkNeedsATreasury() public {
        Deploy.Config memory c = _config(1200);
        vm.expectRevert(abi.encodeWithSelector(Deploy.TreasuryMissing.selector, 1200));
        script.deploy(c, address(script));
    }

    function test_aFaucetNeedsTheDeployersSupply() public {
        Deploy.Config memory c = _config(1210);
        c.treasury = makeAddr("treasury");
        vm.expectRevert(abi.encodeWithSelector(Deploy.FaucetNotFundable.selector, c.treasury, address(script)));
        script.deploy(c, address(script));
    }

    function test_grants() public {
        Deploy.Deployment memory d = script.deploy(_config(31337), address(script));
        Grant grant = new Grant();
        vm.prank(address(script));
        d.cai.transfer(address(grant), 100);
        address[] memory recipients = new address[](2);
        (recipients[0], recipients[1]) = (makeAddr("a"), makeAddr("b"));
        uint256[] memory amounts = new uint256[](2);
        (amounts[0], amounts[1]) = (60, 41);
        vm.expectRevert(abi.encodeWithSelector(Grant.InsufficientFunds.selector, address(grant), 100, 101));
        grant.grant(d.cai, address(grant), recipients, amounts);
        amounts[1] = 40;
        grant.grant(d.cai, address(grant), recipients, amounts);
        assertEq(d.cai.balanceOf(recipients[0]), 60);
        assertEq(d.cai.balanceOf(recipients[1]), 40);
        vm.expectRevert(abi.encodeWithSelector(Grant.LengthMismatch.selector, 2, 1));
        grant.grant(d.cai, address(grant), recipients, new uint256[](1));
        vm.expectRevert(abi.encodeWithSelector(Grant.LengthMismatch.selector, 0, 0));
        grant.grant(d.cai, address(grant), new address[](0), new uint256[](0));
    }
}
