// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IPayments, PaymentsTest, Role} from "../utils/PaymentsTest.sol";

contract NotifyTest is PaymentsTest {
    function _assertNotice(address payee, uint256 cumulative, uint256 endsAt, uint256 share) internal view {
        (uint256 e, uint256 s) = payments.notice(coordinator, payee, cumulative);
        assertEq(e, endsAt, "endsAt");
        assertEq(s, share, "share");
    }

    function test_beginsANotice() public {
        _fund(coordinator, miner, 100e18);
        _collect(miner, 30e18);
        bytes memory signature = _sig(miner, 130e18);
        uint256 endsAt = block.timestamp + NOTICE;
        vm.expectEmit(address(payments));
        emit IPayments.Notified(coordinator, miner, 130e18, 30e18, SHARE, endsAt, carol);
        vm.prank(carol);
        payments.notify(coordinator, miner, 130e18, signature);
        _assertNotice(miner, 130e18, endsAt, SHARE);
        _assertNotice(miner, 129e18, 0, 0);
        _assertNotice(other, 130e18, 0, 0);
        // A notice takes nothing.
        assertEq(payments.channel(coordinator, miner).balance, 70e18);
        assertFalse(_isJailed());
    }

    function test_revertsWhileTheChannelCovers() public {
        _fund(coordinator, miner, 100e18);
        _expectRevert(100e18, abi.encodeWithSelector(IPayments.Covered.selector, coordinator, miner, 100e18, 100e18));
        // What thaws can be collected too.
        vm.prank(coordinator);
        payments.thaw(coordinator, miner, 100e18);
        _expectRevert(100e18, abi.encodeWithSelector(IPayments.Covered.selector, coordinator, miner, 100e18, 100e18));
        _notify(miner, 100e18 + 1);
    }

    function test_revertsWhenAllWasCollected() public {
        _fund(coordinator, miner, 100e18);
        _collect(miner, 100e18);
        _expectRevert(
            100e18, abi.encodeWithSelector(IPayments.NothingToCollect.selector, coordinator, miner, 100e18, 100e18)
        );
        _expectRevert(0, abi.encodeWithSelector(IPayments.NothingToCollect.selector, coordinator, miner, 0, 100e18));
        _notify(miner, 100e18 + 1);
    }

    function _expectRevert(uint256 cumulative, bytes memory reason) internal {
        bytes memory signature = _sig(miner, cumulative);
        vm.expectRevert(reason);
        payments.notify(coordinator, miner, cumulative, signature);
    }

    function test_revertsOnForgedVouchers() public {
        bytes memory signature = _voucher(minerKey, coordinator, miner, 1e18);
        vm.expectRevert(abi.encodeWithSelector(IPayments.InvalidVoucher.selector, coordinator, miner, 1e18, minerNode));
        payments.notify(coordinator, miner, 1e18, signature);
        vm.expectPartialRevert(IPayments.InvalidVoucher.selector);
        payments.notify(coordinator, miner, 1e18, "");
        // Of another amount, payee or payer.
        signature = _sig(miner, 1e18);
        vm.expectPartialRevert(IPayments.InvalidVoucher.selector);
        payments.notify(coordinator, miner, 2e18, signature);
        vm.expectPartialRevert(IPayments.InvalidVoucher.selector);
        payments.notify(coordinator, other, 1e18, signature);
        vm.expectPartialRevert(IPayments.InvalidVoucher.selector);
        payments.notify(rival, miner, 1e18, signature);
    }

    /// A miner's node signs as well, but a miner has neither backing nor anything to be jailed for here.
    function test_onlyCoordinatorsOwe() public {
        bytes memory signature = _voucher(minerKey, miner, other, 1e18);
        vm.expectRevert(abi.encodeWithSelector(IPayments.NotCoordinator.selector, miner));
        payments.notify(miner, other, 1e18, signature);
    }

    function test_aRetiredCoordinatorStillOwes() public {
        _retire(coordinator);
        _notify(miner, 1e18);
        _assertNotice(miner, 1e18, block.timestamp + NOTICE, SHARE);
    }

    function test_onlyMinersHaveAShare() public {
        // A voter, and an operator whose weight is a coordinator's.
        _notify(alice, 1e18);
        _assertNotice(alice, 1e18, block.timestamp + NOTICE, 0);
        _notify(rival, 1e18);
        _assertNotice(rival, 1e18, block.timestamp + NOTICE, 0);
        _notify(coordinator, 1e18);
        _assertNotice(coordinator, 1e18, block.timestamp + NOTICE, 0);
    }

    /// Stake that came in this epoch or in the one before it is not counted.
    function test_stakeBorrowedForTheNoticeCountsForNothing() public {
        address puppet = makeAddr("puppet");
        _register(puppet, Role.Miner, 10_000_000e18);
        _delegate(miner, bob, 200_000e18);
        _notify(puppet, 1e18);
        _assertNotice(puppet, 1e18, block.timestamp + NOTICE, 0);
        _notify(miner, 1e18);
        _assertNotice(miner, 1e18, block.timestamp + NOTICE, SHARE);
        _nextEpoch(1);
        _notify(puppet, 2e18);
        _assertNotice(puppet, 2e18, block.timestamp + NOTICE, 0);
        _nextEpoch(1);
        _notify(puppet, 3e18);
        (, uint256 share) = payments.notice(coordinator, puppet, 3e18);
        assertGt(share, 0.9e18);
    }

    /// A higher voucher neither begins the running notice anew nor ends with it.
    function test_eachVoucherHasItsOwnTime() public {
        uint256 start = block.timestamp;
        _notify(miner, 10e18);
        vm.warp(start + NOTICE - 1);
        _notify(miner, 20e18);
        _notify(miner, 5e18);
        _assertNotice(miner, 10e18, start + NOTICE, SHARE);
        _assertNotice(miner, 20e18, start + 2 * NOTICE - 1, SHARE);
        _assertNotice(miner, 5e18, start + 2 * NOTICE - 1, SHARE);
        vm.warp(start + NOTICE);
        vm.expectRevert(
            abi.encodeWithSelector(IPayments.NoticeRunning.selector, start + 2 * NOTICE - 1, block.timestamp)
        );
        _enforce(miner, 20e18);
        _enforce(miner, 10e18);
        _assertNotice(miner, 20e18, start + 2 * NOTICE - 1, SHARE);
    }

    /// Nor can a coordinator keep a payee's notice off, or begin it anew, by notices of its own about a wei more.
    function test_dustNoticesBlockNothing() public {
        _setBacking(BACKING);
        for (uint256 i = 1; i <= 5; ++i) {
            _notify(miner, i);
        }
        uint256 start = block.timestamp;
        _notify(miner, 10e18);
        for (uint256 i = 1; i <= 5; ++i) {
            vm.warp(start + i * NOTICE / 5);
            _notify(miner, 10e18 + i);
            bytes memory signature = _sig(miner, 10e18);
            vm.expectRevert(
                abi.encodeWithSelector(IPayments.NoticeKnown.selector, coordinator, miner, 10e18, start + NOTICE)
            );
            payments.notify(coordinator, miner, 10e18, signature);
        }
        assertEq(_enforce(miner, 10e18), 10e18);
    }

    /// A wei of funding, of collecting or of thawing changes no timer.
    function test_dustFundingDoesNotTouchTheNotice() public {
        uint256 start = block.timestamp;
        _notify(miner, 10e18);
        vm.warp(start + NOTICE / 2);
        _fund(coordinator, miner, 2);
        _collect(miner, 1);
        vm.prank(coordinator);
        payments.thaw(coordinator, miner, 1);
        _assertNotice(miner, 10e18, start + NOTICE, SHARE);
    }

    function test_theOwnersChangeIsForNoticesToCome() public {
        _notify(miner, 10e18);
        uint256 endsAt = block.timestamp + NOTICE;
        vm.prank(timelock);
        payments.setNoticePeriod(NOTICE * 3 / 2);
        _assertNotice(miner, 10e18, endsAt, SHARE);
        _notify(miner, 11e18);
        _assertNotice(miner, 11e18, block.timestamp + NOTICE * 3 / 2, SHARE);
    }
}

contract NotifyWithoutMinersTest is PaymentsTest {
    function setUp() public override {
        BaseTest.setUp();
        _registerCoordinator(OWN);
        _nextEpoch(2);
    }

    /// Nobody has a share of nothing, and the notice goes its way.
    function test_beforeThereIsAnyMiner() public {
        _notify(miner, 1e18);
        (uint256 endsAt, uint256 share) = payments.notice(coordinator, miner, 1e18);
        assertEq(endsAt, block.timestamp + NOTICE);
        assertEq(share, 0);
    }
}
