// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPayments, IStaking, PaymentsTest} from "../utils/PaymentsTest.sol";

contract SetBackingTest is PaymentsTest {
    function _assertBacking(uint256 amount, uint256 lowered, uint256 lowersIn) internal view {
        IPayments.BackingState memory b = payments.backing(coordinator);
        assertEq(b.amount, amount, "amount");
        assertEq(b.lowered, lowered, "lowered");
        assertEq(b.lowersIn, lowersIn, "lowersIn");
        assertEq(payments.backingOf(coordinator), amount);
    }

    function test_moreCountsAtOnce() public {
        vm.expectEmit(address(payments));
        emit IPayments.BackingSet(coordinator, 10e18, 0, 0);
        _setBacking(10e18);
        _assertBacking(10e18, 0, 0);
        _setBacking(15e18);
        _assertBacking(15e18, 0, 0);
    }

    function test_lessCountsWhenAnUndelegationOfNowWouldMature() public {
        _setBacking(10e18);
        vm.warp(block.timestamp + EPOCH - 1);
        uint256 maturity = staking.maturityOf(staking.currentEpoch());
        vm.expectEmit(address(payments));
        emit IPayments.BackingSet(coordinator, 10e18, 4e18, maturity);
        _setBacking(4e18);
        _assertBacking(10e18, 4e18, maturity);
        vm.warp(maturity * EPOCH - 1);
        _assertBacking(10e18, 4e18, maturity);
        vm.warp(maturity * EPOCH);
        _assertBacking(4e18, 0, 0);
        // What the view says is what the next verb works with.
        _setBacking(5e18);
        _assertBacking(5e18, 0, 0);
    }

    function test_aRaiseEndsALowering() public {
        _setBacking(10e18);
        _setBacking(4e18);
        _setBacking(10e18);
        _assertBacking(10e18, 0, 0);
        _setBacking(4e18);
        _setBacking(11e18);
        _assertBacking(11e18, 0, 0);
        _nextEpoch(10);
        _assertBacking(11e18, 0, 0);
    }

    /// The time of what was announced neither begins anew when less of it is taken, nor is passed on to what is added to it.
    function test_thawTimer() public {
        _setBacking(10e18);
        uint256 maturity = staking.maturityOf(staking.currentEpoch());
        _setBacking(4e18);
        _nextEpoch(2);
        _setBacking(7e18);
        _assertBacking(10e18, 7e18, maturity);
        _setBacking(6e18);
        _assertBacking(10e18, 6e18, maturity + 2);
        _nextEpoch(1);
        _assertBacking(10e18, 6e18, maturity + 2);
        _nextEpoch(2);
        _assertBacking(6e18, 0, 0);
    }

    function test_othersCannotTouchTheTimer() public {
        _setBacking(10e18);
        _setBacking(4e18);
        uint256 maturity = staking.maturityOf(staking.currentEpoch());
        _nextEpoch(1);
        address[4] memory others = [coordinatorNode, alice, miner, address(this)];
        for (uint256 i; i < others.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IPayments.NotCoordinator.selector, others[i]));
            vm.prank(others[i]);
            payments.setBacking(1e18);
        }
        vm.prank(rival);
        payments.setBacking(1e18);
        _fund(coordinator, miner, 1);
        _collect(miner, 1);
        _assertBacking(10e18, 4e18, maturity);
    }

    function test_isOfOnesOwnStakeNotOfVotes() public {
        _setBacking(OWN);
        vm.expectRevert(abi.encodeWithSelector(IPayments.InsufficientStake.selector, coordinator, OWN, OWN + 1));
        vm.prank(coordinator);
        payments.setBacking(OWN + 1);
        // After a slash less is there, and lowering is still possible.
        _slash(coordinator, 0.5e18);
        _assertBacking(OWN, 0, 0);
        _setBacking(OWN / 2);
    }

    function test_revertsWhereNothingChanges() public {
        vm.startPrank(coordinator);
        vm.expectRevert(abi.encodeWithSelector(IPayments.BackingUnchanged.selector, coordinator, 0));
        payments.setBacking(0);
        payments.setBacking(10e18);
        vm.expectRevert(abi.encodeWithSelector(IPayments.BackingUnchanged.selector, coordinator, 10e18));
        payments.setBacking(10e18);
        payments.setBacking(4e18);
        vm.expectRevert(abi.encodeWithSelector(IPayments.BackingUnchanged.selector, coordinator, 4e18));
        payments.setBacking(4e18);
    }

    function test_aRetiredCoordinatorTakesItsBackingBack() public {
        _setBacking(10e18);
        _retire(coordinator);
        _setBacking(0);
        _nextEpoch(3);
        _assertBacking(0, 0, 0);
    }

    /// The stake behind vouchers cannot leave before the backing is lowered: at no time is less left in the pool than counts.
    function test_stakeCannotLeaveBeforeItsBacking() public {
        _setBacking(BACKING);
        uint256 shares = staking.sharesOf(coordinator, coordinator);
        vm.expectRevert(abi.encodeWithSelector(IStaking.StakeBacksVouchers.selector, coordinator, BACKING, 0));
        _undelegateOwn(shares);
        _undelegateOwn((OWN - BACKING) * FIRST);
        assertEq(_own(), BACKING);
        vm.expectPartialRevert(IStaking.StakeBacksVouchers.selector);
        _undelegateOwn(1e18 * FIRST);

        _setBacking(0);
        _nextEpoch(2);
        vm.expectPartialRevert(IStaking.StakeBacksVouchers.selector);
        _undelegateOwn(1e18 * FIRST);
        _nextEpoch(1);
        _undelegateOwn(BACKING * FIRST);
        assertEq(_own(), 0);
    }

    function _undelegateOwn(uint256 shares) internal {
        vm.prank(coordinator);
        staking.undelegate(coordinator, shares);
    }

    /// Whatever is set and whenever: what counts in an epoch is at least what counted or was announced two epochs before.
    function testFuzz_neverFallsFasterThanStakeLeaves(uint96[8] memory amounts, uint8[8] memory waits) public {
        uint256[] memory least = new uint256[](100);
        uint256 start = staking.currentEpoch();
        for (uint256 i; i < 8; ++i) {
            uint256 amount = bound(amounts[i], 0, OWN);
            IPayments.BackingState memory b = payments.backing(coordinator);
            // What counts now counts for two epochs more, unless it was announced to be less by then.
            uint256 epoch = staking.currentEpoch() - start;
            for (uint256 e = epoch; e <= epoch + 2; ++e) {
                uint256 promised = b.lowersIn != 0 && e + start >= b.lowersIn ? b.lowered : b.amount;
                if (promised > least[e]) least[e] = promised;
            }
            if (amount != (b.lowersIn == 0 ? b.amount : b.lowered)) _setBacking(amount);
            for (uint256 w = bound(waits[i], 0, 3); w > 0; --w) {
                _nextEpoch(1);
                assertGe(payments.backingOf(coordinator), least[staking.currentEpoch() - start]);
            }
        }
        _nextEpoch(3);
        IPayments.BackingState memory settled = payments.backing(coordinator);
        assertEq(settled.lowersIn, 0);
    }
}
