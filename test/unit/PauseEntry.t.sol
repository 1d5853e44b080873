// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IStaking, Role} from "../utils/BaseTest.sol";

contract PauseEntryTest is BaseTest {
    uint256 internal constant MAX_PAUSE = 14 days;

    function _pause() internal returns (uint256 until) {
        until = block.timestamp + MAX_PAUSE;
        vm.prank(guardian);
        staking.pauseEntry(until);
    }

    function _expectPaused(uint256 until) internal {
        vm.expectRevert(abi.encodeWithSelector(IStaking.EntryPaused.selector, until));
    }

    function test_byGuardianAndOwner() public {
        address[2] memory allowed = [guardian, timelock];
        for (uint256 i; i < 2; ++i) {
            vm.expectEmit(address(staking));
            emit IStaking.PauseSet(allowed[i], block.timestamp + 1 days);
            vm.prank(allowed[i]);
            staking.pauseEntry(block.timestamp + 1 days);
            assertEq(staking.pausedUntil(), block.timestamp + 1 days);
            vm.prank(allowed[i]);
            staking.pauseEntry(0);
            assertEq(staking.pausedUntil(), 0);
        }
    }

    function test_stopsEntry() public {
        uint256 until = _pause();
        _give(alice, address(staking), 1e18);
        vm.prank(alice);
        _expectPaused(until);
        staking.delegate(miner, 1e18, alice);
        vm.prank(alice);
        _expectPaused(until);
        staking.delegateWithPermit(miner, 1e18, alice, block.timestamp, 0, 0, 0);
        vm.prank(slasher);
        _expectPaused(until);
        staking.hold(miner, 0.1e18);
        // It ends by itself.
        vm.warp(until - 1);
        vm.prank(alice);
        _expectPaused(until);
        staking.delegate(miner, 1e18, alice);
        vm.warp(until);
        vm.prank(alice);
        staking.delegate(miner, 1e18, alice);
        _hold(miner, 0.1e18);
    }

    function test_stopsRegistration() public {
        _delegate(miner, miner, 30_000e18);
        uint256 until = _pause();
        vm.prank(miner);
        _expectPaused(until);
        registry.register(Role.Miner, miner, "", "", "");
        vm.warp(until);
        vm.prank(miner);
        registry.register(Role.Miner, miner, "", "", "");
    }

    function test_everythingElseGoesOn() public {
        _registerMiner(100_000e18);
        _registerCoordinator(3_000_000e18);
        _delegate(miner, alice, 300e18);
        _fundRewards(REWARD_PERIOD * 1e18);
        uint256 epoch = staking.currentEpoch();
        _undelegate(miner, alice, 100e18 * FIRST);
        _hold(miner, 0.1e18);
        _hold(miner, 0.1e18);
        _nextEpoch(1);
        vm.prank(miner);
        staking.setCommission(0.1e18);
        _pause();

        _undelegate(miner, alice, 100e18 * FIRST);
        assertGt(_cancel(miner, alice, epoch + 1), 0);
        _nextEpoch(2);
        vm.prank(alice);
        assertEq(staking.withdraw(miner, epoch, alice), 80e18);
        _release(miner, 0.1e18, epoch);
        vm.prank(slasher);
        staking.slash(miner, 0.1e18, epoch, 100, carol, 1);
        assertGt(staking.accrue(coordinator), 0);
        staking.applyCommission(miner);
        _fundRewards(REWARD_PERIOD);
        vm.prank(address(payments));
        assertEq(staking.payFromOwn(coordinator, 1e18, miner), 1e18);
        vm.prank(address(payments));
        staking.jail(coordinator, 100);
        vm.warp(block.timestamp + 100);
        vm.prank(miner);
        staking.unjail();
        vm.prank(miner);
        registry.retire();
        assertGt(staking.pausedUntil(), block.timestamp);
    }

    function test_revertsBeyondTheLongest() public {
        vm.startPrank(guardian);
        uint256 until = block.timestamp + MAX_PAUSE + 1;
        vm.expectRevert(abi.encodeWithSelector(IStaking.InvalidParameter.selector, "until", until));
        staking.pauseEntry(until);
        // Would be a past time if it were cut to size.
        vm.expectRevert(abi.encodeWithSelector(IStaking.InvalidParameter.selector, "until", 2 ** 40));
        staking.pauseEntry(2 ** 40);
    }

    function test_revertsForOthers() public {
        address[3] memory others = [alice, slasher, address(registry)];
        for (uint256 i; i < 3; ++i) {
            vm.prank(others[i]);
            vm.expectRevert(abi.encodeWithSelector(IStaking.Unauthorised.selector, others[i]));
            staking.pauseEntry(0);
        }
    }
}
