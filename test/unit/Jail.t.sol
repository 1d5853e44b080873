// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IStaking, Role} from "../utils/BaseTest.sol";

contract JailTest is BaseTest {
    function _jail(uint256 term) internal {
        vm.prank(address(payments));
        staking.jail(miner, term);
    }

    function _assertJailed(uint256 until) internal view {
        (bool jailed, uint256 jailedUntil) = staking.jailStatus(miner);
        assertTrue(jailed);
        assertEq(jailedUntil, until);
        assertEq(staking.weightOf(miner), 0);
    }

    function test_takesTheWeightAway() public {
        _registerMiner(30_000e18);
        vm.expectEmit(address(staking));
        emit IStaking.JailedUntil(miner, address(payments), block.timestamp + 100, 0);
        _jail(100);
        _assertJailed(block.timestamp + 100);
        assertEq(staking.totalWeight(Role.Miner), 0);
        assertEq(staking.assetsOf(miner, miner), 30_000e18, "and nothing else");
    }

    function test_lastsUntilUnjailed() public {
        _registerMiner(30_000e18);
        _jail(100);
        uint256 until = block.timestamp + 100;
        vm.warp(block.timestamp + 1000 days);
        _assertJailed(until);
        // Entry stays open, and gives no weight.
        _delegate(miner, alice, 100e18);
        assertEq(staking.weightOf(miner), 0);
    }

    function test_theLaterEndWins() public {
        _registerMiner(30_000e18);
        uint256 start = block.timestamp;
        _jail(100);
        _jail(50);
        _assertJailed(start + 100);
        vm.warp(start + 60);
        _jail(50);
        _assertJailed(start + 110);
        vm.warp(start + 200);
        vm.prank(miner);
        staking.unjail();
        _jail(1);
        _assertJailed(start + 201);
    }

    function test_bySlashing() public {
        _registerMiner(100_000e18);
        uint256 epoch = staking.currentEpoch();
        vm.expectEmit(address(staking));
        emit IStaking.Slashed(miner, slasher, 0.1e18, 10_000e18, 0, 0, address(0), 90_000e18, 100_000e18 * FIRST, 0);
        vm.expectEmit(address(staking));
        emit IStaking.JailedUntil(miner, slasher, block.timestamp + 100, 0);
        vm.prank(slasher);
        staking.slash(miner, 0.1e18, epoch, 100, address(0), 0);
        _assertJailed(block.timestamp + 100);
        // By a slash as by Payments: the later end.
        vm.prank(slasher);
        staking.slash(miner, 0.1e18, epoch, 50, address(0), 0);
        _assertJailed(block.timestamp + 100);
        _jail(150);
        _assertJailed(block.timestamp + 150);
    }

    function test_aSlashWithoutATermJailsNobody() public {
        _registerMiner(100_000e18);
        _slash(miner, 0.1e18);
        (bool jailed, uint256 until) = staking.jailStatus(miner);
        assertFalse(jailed);
        assertEq(until, 0);
        assertEq(staking.weightOf(miner), 90_000e18);
    }

    function test_aSlashThatTakesNothingMoreJailsAllTheSame() public {
        _registerMiner(1_000_000e18);
        _slash(miner, 0.5e18);
        _slash(miner, 0.5e18);
        uint256 epoch = staking.currentEpoch();
        vm.prank(slasher);
        (uint256 slashed,) = staking.slash(miner, 0.5e18, epoch, 100, address(0), 0);
        assertEq(slashed, 0);
        _assertJailed(block.timestamp + 100);
    }

    function test_anOperatorThatRetiredAndCameBackIsStillJailed() public {
        _registerMiner(30_000e18);
        _jail(100);
        vm.startPrank(miner);
        registry.retire();
        assertEq(staking.weightOf(miner), 0);
        registry.register(Role.Miner, miner, "", "", "");
        assertEq(staking.weightOf(miner), 0);
        vm.expectRevert(abi.encodeWithSelector(IStaking.Jailed.selector, miner, block.timestamp + 100));
        staking.unjail();
        vm.warp(block.timestamp + 100);
        staking.unjail();
        assertEq(staking.weightOf(miner), 30_000e18);
        assertEq(staking.totalWeight(Role.Miner), 30_000e18);
    }

    function test_ofARetiredOperatorWaitsForIt() public {
        _registerMiner(30_000e18);
        vm.prank(miner);
        registry.retire();
        _jail(100);
        vm.warp(block.timestamp + 50);
        vm.startPrank(miner);
        registry.register(Role.Miner, miner, "", "", "");
        assertEq(staking.weightOf(miner), 0);
        vm.warp(block.timestamp + 50);
        staking.unjail();
        assertEq(staking.weightOf(miner), 30_000e18);
    }

    function test_leavesExitsOpen() public {
        _registerMiner(30_000e18);
        _delegate(miner, alice, 100e18);
        _jail(1000 days);
        uint256 epoch = staking.currentEpoch();
        _undelegate(miner, alice, 100e18 * FIRST);
        _undelegate(miner, miner, 30_000e18 * FIRST);
        _nextEpoch(3);
        assertEq(staking.withdraw(miner, epoch, alice), 100e18);
        assertEq(staking.withdraw(miner, epoch, miner), 30_000e18);
    }

    function test_revertsForOthers() public {
        address[4] memory others = [miner, slasher, timelock, address(registry)];
        for (uint256 i; i < 4; ++i) {
            vm.prank(others[i]);
            vm.expectRevert(abi.encodeWithSelector(IStaking.Unauthorised.selector, others[i]));
            staking.jail(miner, 100);
        }
    }
}
