// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IStaking} from "../utils/BaseTest.sol";

contract ReleaseTest is BaseTest {
    function test_freesWhatWasHeld() public {
        _delegate(miner, alice, 100e18);
        _undelegate(miner, alice, 100e18 * FIRST);
        uint256 epoch = _hold(miner, 0.4e18);
        _nextEpoch(3);
        vm.expectEmit(address(staking));
        emit IStaking.Released(miner, slasher, epoch, 0.3e18, 0.1e18);
        _release(miner, 0.3e18, epoch);
        assertEq(staking.heldFraction(miner, epoch), 0.1e18);
        _release(miner, 0.1e18, epoch);
        assertEq(staking.heldFraction(miner, epoch), 0);
        assertEq(staking.withdraw(miner, epoch, alice), 100e18);
    }

    function test_ofOneEpochLeavesTheOthers() public {
        uint256 epoch = _hold(miner, 0.1e18);
        _nextEpoch(1);
        _hold(miner, 0.2e18);
        _nextEpoch(2);
        _release(miner, 0.1e18, epoch);
        assertEq(staking.heldFraction(miner, epoch), 0.2e18);
    }

    function test_isNoErrorOnceTheHoldHasExpired() public {
        uint256 epoch = _hold(miner, 0.1e18);
        _nextEpoch(100);
        _release(miner, 0.1e18, epoch);
    }

    function test_revertsOnMoreThanHeld() public {
        uint256 epoch = _hold(miner, 0.1e18);
        _release(miner, 0.04e18, epoch);
        vm.startPrank(slasher);
        vm.expectRevert(abi.encodeWithSelector(IStaking.NotHeld.selector, miner, epoch, 0.06e18, 0.06e18 + 1));
        staking.release(miner, 0.06e18 + 1, epoch);
        vm.expectRevert(abi.encodeWithSelector(IStaking.NotHeld.selector, coordinator, epoch, 0, 1));
        staking.release(coordinator, 1, epoch);
        vm.expectRevert(abi.encodeWithSelector(IStaking.NotHeld.selector, miner, epoch - 1, 0, 1));
        staking.release(miner, 1, epoch - 1);
    }

    function test_revertsOnNothing() public {
        vm.expectRevert(IStaking.ZeroAmount.selector);
        staking.release(miner, 0, 20_000);
    }

    function test_nobodyEndsWhatAnotherHolds() public {
        uint256 epoch = _hold(miner, 0.1e18);
        address[4] memory others = [alice, timelock, guardian, address(payments)];
        for (uint256 i; i < 4; ++i) {
            vm.prank(others[i]);
            vm.expectRevert(abi.encodeWithSelector(IStaking.NotHeld.selector, miner, epoch, 0, 0.1e18));
            staking.release(miner, 0.1e18, epoch);
        }
    }

    function test_aSlashEndsTheHold() public {
        uint256 epoch = _hold(miner, 0.1e18);
        _hold(miner, 0.2e18);
        vm.expectEmit(address(staking));
        emit IStaking.Released(miner, slasher, epoch, 0.1e18, 0.2e18);
        vm.startPrank(slasher);
        staking.slash(miner, 0.1e18, epoch, 0, address(0), 0);
        vm.expectRevert(abi.encodeWithSelector(IStaking.NotHeld.selector, miner, epoch, 0.2e18, 0.2e18 + 1));
        staking.release(miner, 0.2e18 + 1, epoch);
        staking.release(miner, 0.2e18, epoch);
    }
}
