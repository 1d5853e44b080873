// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {stdJson} from "forge-std/StdJson.sol";
import {Role} from "../../contracts/interfaces/Messages.sol";
import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {IDisputes} from "../../contracts/interfaces/IDisputes.sol";
import {Config, Configured} from "../../script/Config.sol";
import {Deploy} from "../../script/Deploy.s.sol";
import {Grant} from "../../script/Grant.s.sol";
import {Operate} from "../../script/Operate.s.sol";

interface IDrand {
    function submit(uint64 round, uint256[2] calldata signature) external;
    function seed(uint256 id) external view returns (bytes32);
}

interface IOwned {
    function owner() external view returns (address);
}

/// @dev The scripts' parts, called as a broadcast calls them: by the deployer.
contract DeployTest is Test {
    using stdJson for string;

    // The artefact, so that it need not be compiled into this contract as well.
    Deploy internal script = Deploy(deployCode("Deploy.s.sol:Deploy"));

    uint256 internal _snapshot;

    function setUp() public {
        _snapshot = vm.snapshotState();
    }

    function _config(uint256 chain) internal returns (Config memory) {
        vm.chainId(chain);
        return script.readConfig(string.concat("script/config/", vm.toString(chain), ".json"));
    }

    /// What only the one who deploys a real network can fill in.
    function _complete(Config memory c) internal {
        if (c.hasFaucet) return;
        c.treasury = makeAddr("treasury");
        c.governance.proposers = new address[](1);
        c.governance.proposers[0] = makeAddr("proposer");
    }

    function _deploy(uint256 chain) internal returns (Config memory c, Deploy.Deployment memory d) {
        c = _config(chain);
        _complete(c);
        // In an epoch like those of a chain that has been running.
        vm.warp(1_800_000_000);
        c.staking.guardianExpiry += block.timestamp - 1;
        d = script.deploy(c, address(script));
    }

    function test_everyNetworksConfigDeploys() public {
        uint256[3] memory chains = [uint256(31337), 1210, 1200];
        for (uint256 i; i < chains.length; ++i) {
            (Config memory c, Deploy.Deployment memory d) = _deploy(chains[i]);
            assertEq(d.staking.registry(), address(d.registry));
            assertEq(d.staking.payments(), address(d.payments));
            assertEq(address(d.registry.staking()), address(d.staking));
            assertEq(address(d.payments.registry()), address(d.registry));
            assertEq(address(d.staking.cai()), address(d.cai));
            assertEq(d.staking.epochLength(), c.staking.epochLength);
            assertEq(d.staking.minStake(Role.Miner), 20_000e18);
            assertEq(d.staking.minStake(Role.Coordinator), 2_000_000e18);
            assertEq(d.payments.burnFee(), 0.02e18);
            assertEq(d.lens.network().domainSeparator, d.registry.domainSeparator());
            assertEq(address(d.faucet) != address(0), chains[i] != 1200);
            if (c.hasFaucet) assertEq(d.cai.balanceOf(address(d.faucet)), c.faucet.funding);
            assertTrue(d.staking.isSlasher(address(d.disputes)));
            assertFalse(d.staking.isSlasher(address(d.payments)));
            vm.revertToState(_snapshot);
        }
    }

    /// 11% of the supply to stakers, 30% to miners for work, both over four years; the rest to the treasury.
    function test_distributesTheSupplyAsPlanned() public {
        (Config memory c, Deploy.Deployment memory d) = _deploy(1200);
        uint256 supply = d.cai.totalSupply();
        assertEq(d.cai.balanceOf(address(d.staking)), supply * 11 / 100);
        assertEq(d.cai.balanceOf(address(d.miningRewards)), supply * 30 / 100);
        assertEq(d.cai.balanceOf(c.treasury), supply * 59 / 100);
        assertEq(d.cai.balanceOf(address(script)), 0);
        (uint256 rate, uint256 endsAt) = d.staking.rewardStream();
        assertEq(rate, supply * 11 / 100 / 1460 days);
        assertEq(endsAt, block.timestamp + 1460 days);
        uint256 epoch = d.staking.currentEpoch();
        assertEq(d.miningRewards.emissionOf(epoch), 0);
        assertEq(d.miningRewards.emissionOf(epoch + 1), supply * 30 / 100 / 208);
        assertEq(d.miningRewards.emissionOf(epoch + 209), 0);
    }

    function test_ownedByTheTimelockAlone() public {
        (Config memory c, Deploy.Deployment memory d) = _deploy(1200);
        address timelock = address(d.timelock);
        assertEq(IOwned(address(d.staking)).owner(), timelock);
        assertEq(IOwned(address(d.payments)).owner(), timelock);
        assertEq(IOwned(address(d.disputes)).owner(), timelock);
        assertEq(d.timelock.getMinDelay(), 7 days);
        assertTrue(d.timelock.hasRole(d.timelock.PROPOSER_ROLE(), c.governance.proposers[0]));
        assertTrue(d.timelock.hasRole(d.timelock.EXECUTOR_ROLE(), c.governance.proposers[0]));
        assertFalse(d.timelock.hasRole(d.timelock.PROPOSER_ROLE(), address(script)));
        assertFalse(d.timelock.hasRole(d.timelock.DEFAULT_ADMIN_ROLE(), address(script)));
    }

    /// The key in the configs is that of drand's evmnet: it signed this round.
    function test_theDrandKeySignedARealRound() public {
        uint256[2] memory chains = [uint256(1210), 1200];
        uint256[2] memory signature = [
            0x2c7b65b5acfe55256910ca71cf0a0fa71ac34c2a1167f86a22930a03e70ebec0,
            0x0f7a530796e7ee38600b06da0390634a9b154e3eebc3b323dde2111e1c8ebdf3
        ];
        for (uint256 i; i < chains.length; ++i) {
            (, Deploy.Deployment memory d) = _deploy(chains[i]);
            IDrand drand = IDrand(address(d.randomness));
            drand.submit(10_000_000, signature);
            assertEq(drand.seed(10_000_000), keccak256(abi.encodePacked(signature)));
            vm.expectRevert();
            drand.submit(10_000_001, signature);
            vm.revertToState(_snapshot);
        }
    }

    function test_onlyTheDevelopmentChainDoesWithoutDrand() public {
        Config memory c = _config(1210);
        delete c.drand;
        vm.expectRevert(abi.encodeWithSelector(Deploy.DrandKeyMissing.selector, 1210));
        script.deploy(c, address(script));
    }

    function test_epochsAreAsPublished() public {
        assertEq(_config(31337).staking.epochLength, 60);
        assertEq(_config(1210).staking.epochLength, 1 days);
        assertEq(_config(1200).staking.epochLength, 7 days);
    }

    function test_writesTheAddresses() public {
        (, Deploy.Deployment memory d) = _deploy(31337);
        string memory json = script.toJson(d, 42);
        assertEq(json.readUint(".chain_id"), 31337);
        assertEq(json.readUint(".block"), 42);
        assertEq(json.readAddress(".contracts.cai"), address(d.cai));
        assertEq(json.readAddress(".contracts.faucet"), address(d.faucet));
        assertEq(json.readAddress(".contracts.staking"), address(d.staking));
        assertEq(json.readAddress(".contracts.registry"), address(d.registry));
        assertEq(json.readAddress(".contracts.payments"), address(d.payments));
        assertEq(json.readAddress(".contracts.timelock"), address(d.timelock));
        assertEq(json.readAddress(".contracts.randomness"), address(d.randomness));
        assertEq(json.readAddress(".contracts.disputes"), address(d.disputes));
        assertEq(json.readAddress(".contracts.mining_rewards"), address(d.miningRewards));
        assertEq(json.readAddress(".contracts.lens"), address(d.lens));
    }

    function test_refusesAnotherChainsConfig() public {
        vm.chainId(31337);
        vm.expectRevert(abi.encodeWithSelector(Configured.ChainMismatch.selector, 1210, 31337));
        script.readConfig("script/config/1210.json");
    }

    function test_refusesWithoutConfig() public {
        vm.expectRevert(abi.encodeWithSelector(Configured.ConfigMissing.selector, "script/config/5.json"));
        script.readConfig("script/config/5.json");
    }

    function test_theMainNetworkNeedsATreasuryAndProposers() public {
        Config memory c = _config(1200);
        vm.expectRevert(abi.encodeWithSelector(Deploy.TreasuryMissing.selector, 1200));
        script.deploy(c, address(script));
        c.treasury = makeAddr("treasury");
        vm.expectRevert(abi.encodeWithSelector(Deploy.ProposersMissing.selector, 1200));
        script.deploy(c, address(script));
    }

    function test_operatesThroughTheTimelock() public {
        (Config memory c, Deploy.Deployment memory d) = _deploy(1200);
        Operate operate = Operate(deployCode("Operate.s.sol:Operate"));
        c.governance.proposers[0] = address(operate);
        vm.revertToState(_snapshot);
        vm.warp(1_800_000_000);
        d = script.deploy(c, address(script));
        operate = Operate(deployCode("Operate.s.sol:Operate"));

        bytes memory data = abi.encodeCall(IDisputes.setModel, (bytes32(uint256(1)), true));
        operate.operate(d.timelock, address(d.disputes), data, 0);
        assertFalse(d.disputes.isListed(bytes32(uint256(1))));
        uint256 readyAt = block.timestamp + 7 days;
        vm.warp(readyAt - 1);
        vm.expectRevert(abi.encodeWithSelector(Operate.NotReady.selector, readyAt, readyAt - 1));
        operate.operate(d.timelock, address(d.disputes), data, 0);
        vm.warp(readyAt);
        operate.operate(d.timelock, address(d.disputes), data, 0);
        assertTrue(d.disputes.isListed(bytes32(uint256(1))));
        bytes32 id = d.timelock.hashOperation(address(d.disputes), 0, data, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(Operate.AlreadyDone.selector, id));
        operate.operate(d.timelock, address(d.disputes), data, 0);
    }

    function test_withoutADelayItIsDoneAtOnce() public {
        vm.warp(1_800_000_000);
        Config memory c = _config(31337);
        Operate operate = Operate(deployCode("Operate.s.sol:Operate"));
        c.governance.proposers = new address[](1);
        c.governance.proposers[0] = address(operate);
        Deploy.Deployment memory d = script.deploy(c, address(script));
        bytes memory data = abi.encodeCall(IStaking.setGuardian, (makeAddr("guardian")));
        vm.expectEmit(address(d.staking));
        emit IStaking.GuardianSet(makeAddr("guardian"));
        operate.operate(d.timelock, address(d.staking), data, 0);
    }

    function test_grants() public {
        (, Deploy.Deployment memory d) = _deploy(31337);
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
