// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IStaking} from "../utils/BaseTest.sol";

contract WithdrawTest is BaseTest {
    function test_paysTheOwnerAfterTwoWholeEpochs() public {
        _delegate(miner, alice, 100e18);
        vm.warp(block.timestamp + EPOCH / 2);
        _undelegate(miner, alice, 100e18 * FIRST);
        uint256 epoch = staking.currentEpoch();
        vm.warp(staking.maturityOf(epoch) * EPOCH);
        assertEq(staking.currentEpoch(), epoch + 3);

        vm.expectEmit(address(staking));
        emit IStaking.Withdrawn(miner, alice, epoch, 100e18);
        // Anybody may call.
        vm.prank(carol);
        assertEq(staking.withdraw(miner, epoch, alice), 100e18);
        assertEq(cai.balanceOf(alice), 100e18);
        assertEq(cai.balanceOf(address(staking)), 0);
    }

    function test_revertsBeforeMaturity() public {
        _delegate(miner, alice, 100e18);
        _undelegate(miner, alice, 100e18 * FIRST);
        uint256 epoch = staking.currentEpoch();
        vm.expectRevert(abi.encodeWithSelector(IStaking.NotMatured.selector, epoch, epoch + 3, epoch));
        staking.withdraw(miner, epoch, alice);
        vm.warp(staking.maturityOf(epoch) * EPOCH - 1);
        vm.expectRevert(abi.encodeWithSelector(IStaking.NotMatured.selector, epoch, epoch + 3, epoch + 2));
        staking.withdraw(miner, epoch, alice);
    }

    function test_revertsTwice() public {
        _delegate(miner, alice, 100e18);
        _delegate(miner, bob, 100e18);
        _undelegate(miner, alice, 100e18 * FIRST);
        _undelegate(miner, bob, 100e18 * FIRST);
        uint256 epoch = staking.currentEpoch();
        _nextEpoch(3);
        staking.withdraw(miner, epoch, alice);
        vm.expectRevert(abi.encodeWithSelector(IStaking.NothingToWithdraw.selector, miner, epoch, alice));
        staking.withdraw(miner, epoch, alice);
        assertEq(staking.withdraw(miner, epoch, bob), 100e18);
    }

    function test_revertsOnEpochsThatNeverWere() public {
        vm.expectRevert(abi.encodeWithSelector(IStaking.NothingToWithdraw.selector, miner, type(uint256).max, alice));
        staking.withdraw(miner, type(uint256).max, alice);
    }

    function test_laterUndelegationsDoNotDelayEarlierOnes() public {
        _delegate(miner, alice, 100e18);
        uint256 epoch = staking.currentEpoch();
        _undelegate(miner, alice, 10e18 * FIRST);
        for (uint256 i; i < 3; ++i) {
            _nextEpoch(1);
            _undelegate(miner, alice, 10e18 * FIRST);
        }
        assertEq(staking.withdraw(miner, epoch, alice), 10e18);
        vm.expectRevert(abi.encodeWithSelector(IStaking.NotMatured.selector, epoch + 1, epoch + 4, epoch + 3));
        staking.withdraw(miner, epoch + 1, alice);
    }

    /// All get out, and what is left is dust: the last to leave is paid like the first.
    function testFuzz_everybodyGetsOut(uint256 a, uint256 b, uint256 c, uint256 f1, uint256 f2, uint256 f3) public {
        address[3] memory owners = [alice, bob, miner];
        uint256[3] memory shares;
        shares[0] = _delegate(miner, alice, bound(a, 1e4, 1e26));
        shares[1] = _delegate(miner, bob, bound(b, 1e4, 1e26));
        _slash(miner, bound(f1, 1, 0.5e18));
        shares[2] = _delegate(miner, miner, bound(c, 1e4, 1e26));
        uint256 epoch = staking.currentEpoch();
        for (uint256 i; i < 3; ++i) {
            _undelegate(miner, owners[i], shares[i]);
        }
        _slash(miner, bound(f2, 1, 0.5e18));
        _nextEpoch(2);
        _slash(miner, bound(f3, 1, 0.5e18));
        _nextEpoch(1);
        for (uint256 i; i < 3; ++i) {
            uint256 due = staking.bucketAssetsOf(miner, epoch, owners[i]);
            assertGe(staking.withdraw(miner, epoch, owners[i]), due, "leaving never costs those behind");
        }
        assertLt(cai.balanceOf(address(staking)), 10, "dust");
    }

    function test_aShareOfNothingIsClearedAndPaysNothing() public {
        // Alice's wei is worth less than one after the slash.
        _delegate(miner, alice, 1);
        _delegate(miner, bob, 3);
        _undelegate(miner, alice, FIRST);
        _undelegate(miner, bob, 3 * FIRST);
        uint256 epoch = staking.currentEpoch();
        _slash(miner, 0.5e18);
        _nextEpoch(3);
        assertEq(staking.bucketAssetsOf(miner, epoch, alice), 0);
        assertEq(staking.withdraw(miner, epoch, alice), 0);
        assertGe(staking.withdraw(miner, epoch, bob), 1);
    }
}
