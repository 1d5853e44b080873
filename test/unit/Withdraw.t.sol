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

    // ------------------------------------------------------------------------------------------------- while disputes hold back

    /// @dev Alice's 100 of epoch `epoch`, matured, with `fraction` of it held back.
    function _heldBucket(uint256 fraction) internal returns (uint256 epoch) {
        _delegate(miner, alice, 100e18);
        _undelegate(miner, alice, 100e18 * FIRST);
        epoch = _hold(miner, fraction);
        _nextEpoch(3);
    }

    function _withdraw(uint256 epoch, address owner) internal returns (uint256 assets) {
        vm.prank(owner);
        return staking.withdraw(miner, epoch, owner);
    }

    function _expectHeldBack(uint256 epoch, address owner, uint256 held) internal {
        vm.expectRevert(abi.encodeWithSelector(IStaking.HeldBack.selector, miner, epoch, owner, held));
    }

    function test_paysTheFreePartAtOnceAndTheRestWhenReleased() public {
        uint256 epoch = _heldBucket(0.1e18);
        assertEq(staking.withdrawable(miner, epoch, alice), 90e18);
        vm.expectEmit(address(staking));
        emit IStaking.Withdrawn(miner, alice, epoch, 90e18);
        assertEq(_withdraw(epoch, alice), 90e18);
        assertEq(cai.balanceOf(alice), 90e18);
        assertEq(staking.withdrawable(miner, epoch, alice), 0);
        assertEq(staking.bucketAssetsOf(miner, epoch, alice), 10e18);
        (uint256 assets, uint256 shares) = staking.bucket(miner, epoch);
        assertEq(assets, 10e18);
        assertEq(shares, 100e18 * FIRST, "it keeps its shares until it takes the rest");
        _assertSolvent(miner);

        _release(miner, 0.1e18, epoch);
        assertEq(staking.withdrawable(miner, epoch, alice), 10e18);
        // Nothing is held back any more, so anybody may call.
        assertEq(staking.withdraw(miner, epoch, alice), 10e18);
        assertEq(cai.balanceOf(alice), 100e18);
        (assets, shares) = staking.bucket(miner, epoch);
        assertEq(assets + shares, 0);
        assertEq(cai.balanceOf(address(staking)), 0);
        vm.expectRevert(abi.encodeWithSelector(IStaking.NothingToWithdraw.selector, miner, epoch, alice));
        staking.withdraw(miner, epoch, alice);
    }

    function test_paysTheRestWhenTheHoldExpires() public {
        uint256 epoch = _heldBucket(0.5e18);
        assertEq(_withdraw(epoch, alice), 50e18);
        _nextEpoch(2);
        assertEq(staking.currentEpoch(), epoch + 5);
        assertEq(staking.withdraw(miner, epoch, alice), 50e18);
    }

    function test_asHoldsEndMoreIsFree() public {
        _delegate(miner, alice, 100e18);
        _undelegate(miner, alice, 100e18 * FIRST);
        uint256 epoch = _hold(miner, 0.5e18);
        _hold(miner, 0.3e18);
        _nextEpoch(1);
        _hold(miner, 0.1e18);
        _nextEpoch(2);
        assertEq(_withdraw(epoch, alice), 25e18, "0.9 are held, 0.75 count");
        _release(miner, 0.1e18, epoch);
        _expectHeldBack(epoch, alice, 0.75e18);
        _withdraw(epoch, alice);
        _release(miner, 0.4e18, epoch);
        assertEq(staking.withdrawable(miner, epoch, alice), 35e18);
        assertEq(_withdraw(epoch, alice), 35e18);
        _release(miner, 0.3e18, epoch);
        assertEq(_withdraw(epoch, alice), 30e18);
        _release(miner, 0.1e18, epoch + 1);
        assertEq(_withdraw(epoch, alice), 10e18);
    }

    function test_revertsWhenNothingIsFree() public {
        uint256 epoch = _heldBucket(0.1e18);
        _withdraw(epoch, alice);
        _expectHeldBack(epoch, alice, 0.1e18);
        _withdraw(epoch, alice);
    }

    function test_whileHeldOnlyTheOwnerMayCall() public {
        uint256 epoch = _heldBucket(0.1e18);
        address[3] memory others = [miner, carol, slasher];
        for (uint256 i; i < 3; ++i) {
            vm.prank(others[i]);
            _expectHeldBack(epoch, alice, 0.1e18);
            staking.withdraw(miner, epoch, alice);
        }
    }

    function test_oneWeiIsHeldBackWhole() public {
        _delegate(miner, alice, 1);
        _undelegate(miner, alice, FIRST);
        uint256 epoch = _hold(miner, 1);
        _nextEpoch(3);
        assertEq(staking.withdrawable(miner, epoch, alice), 0);
        _expectHeldBack(epoch, alice, 1);
        _withdraw(epoch, alice);
        _release(miner, 1, epoch);
        assertEq(_withdraw(epoch, alice), 1);
    }

    function test_whatWasDrawnIsStillMeasuredBySlashes() public {
        uint256 epoch = _heldBucket(0.2e18);
        _withdraw(epoch, alice);
        vm.prank(slasher);
        (uint256 slashed,) = staking.slash(miner, 0.2e18, epoch, 0, address(0), 0);
        assertEq(slashed, 20e18, "of all that she had, not of what she left");
        assertEq(staking.bucketAssetsOf(miner, epoch, alice), 0);
        assertEq(staking.withdrawable(miner, epoch, alice), 0);
        assertEq(staking.withdraw(miner, epoch, alice), 0, "cleared");
        assertEq(cai.balanceOf(address(staking)), 0);
    }

    function test_whoDrawsAndWhoWaitsLoseAlike() public {
        _delegate(miner, alice, 100e18);
        _delegate(miner, bob, 100e18);
        _undelegate(miner, alice, 100e18 * FIRST);
        _undelegate(miner, bob, 100e18 * FIRST);
        uint256 epoch = _hold(miner, 0.1e18);
        _hold(miner, 0.1e18);
        _nextEpoch(3);
        assertEq(_withdraw(epoch, alice), 80e18);
        vm.prank(slasher);
        staking.slash(miner, 0.1e18, epoch, 0, address(0), 0);
        _release(miner, 0.1e18, epoch);
        _withdraw(epoch, alice);
        _withdraw(epoch, bob);
        assertEq(cai.balanceOf(alice), 90e18);
        assertEq(cai.balanceOf(bob), 90e18);
        assertEq(cai.balanceOf(address(staking)), 0);
    }

    function test_theViewSaysWhatIsPaid() public {
        _delegate(miner, alice, 100e18);
        _undelegate(miner, alice, 100e18 * FIRST);
        uint256 epoch = staking.currentEpoch();
        assertEq(staking.withdrawable(miner, epoch, alice), 0, "not matured");
        _nextEpoch(3);
        assertEq(staking.withdrawable(miner, epoch, alice), 100e18);
        assertEq(staking.withdrawable(miner, epoch, bob), 0);
    }

    /// Draws, slashes under holds, releases and expiry in any order: the bucket always has what it owes, to the wei, nobody gets more
    /// than its value, and who draws early is no better and no worse off.
    function testFuzz_earlyDrawsAreAlwaysCovered(
        uint256[3] memory stakes,
        uint256[4] memory holds,
        uint8[12] memory acts,
        uint256[12] memory whos
    ) public {
        address[3] memory owners = [alice, bob, miner];
        for (uint256 i; i < 3; ++i) {
            _undelegate(miner, owners[i], _delegate(miner, owners[i], bound(stakes[i], 1, 1e26)));
        }
        // In another pool: what must not be touched.
        _delegate(coordinator, carol, 1e26);
        uint256 epoch = staking.currentEpoch();
        for (uint256 i; i < 4; ++i) {
            holds[i] = bound(holds[i], 1, 0.5e18);
            if (i == 2) _nextEpoch(1);
            _hold(miner, holds[i]);
        }
        _nextEpoch(2);
        for (uint256 i; i < 12; ++i) {
            uint256 which = whos[i] % 4;
            if (acts[i] % 4 == 0 && holds[which] != 0) {
                vm.prank(slasher);
                staking.slash(miner, holds[which], which < 2 ? epoch : epoch + 1, 0, miner, type(uint256).max);
                holds[which] = 0;
            } else if (acts[i] % 4 == 1 && holds[which] != 0) {
                _release(miner, holds[which], which < 2 ? epoch : epoch + 1);
                holds[which] = 0;
            } else if (acts[i] % 4 == 2 && i % 3 == 0) {
                _nextEpoch(1);
            } else if (staking.withdrawable(miner, epoch, owners[which % 3]) != 0) {
                uint256 free = staking.withdrawable(miner, epoch, owners[which % 3]);
                assertEq(_withdraw(epoch, owners[which % 3]), free);
            }
            (uint256 assets,) = staking.bucket(miner, epoch);
            assertEq(cai.balanceOf(address(staking)), assets + 1e26, "held = bucket + the other pool");
            uint256 sum;
            for (uint256 j; j < 3; ++j) {
                sum += staking.bucketAssetsOf(miner, epoch, owners[j]);
            }
            assertLe(sum, assets, "the last to leave is paid");
        }
        _nextEpoch(5);
        for (uint256 j; j < 3; ++j) {
            uint256 due = staking.bucketAssetsOf(miner, epoch, owners[j]);
            if (due != 0) assertGe(_withdraw(epoch, owners[j]), due);
        }
        (uint256 dust,) = staking.bucket(miner, epoch);
        assertLt(dust, 12);
        assertEq(cai.balanceOf(address(staking)), dust + 1e26);
    }
}
