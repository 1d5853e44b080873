// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPayments, IStaking, PaymentsTest, Role} from "../utils/PaymentsTest.sol";

contract EnforceTest is PaymentsTest {
    /// What `miner` can get at most.
    uint256 internal constant PART = BACKING / 4;

    function setUp() public override {
        super.setUp();
        _setBacking(BACKING);
    }

    function test_paysFromOwnStakeIntoABucketThatMatures() public {
        _notify(miner, 100e18);
        vm.warp(block.timestamp + NOTICE);
        uint256 epoch = staking.currentEpoch();
        vm.expectEmit(true, true, true, false, address(staking));
        emit IStaking.PaidFromOwn(coordinator, miner, epoch, 100e18, 0, 0, 0, 0);
        vm.expectEmit(true, true, false, false, address(staking));
        emit IStaking.JailedUntil(coordinator, address(payments), 0, 0);
        vm.expectEmit(address(payments));
        emit IPayments.Enforced(coordinator, miner, 100e18, 100e18, 0, 100e18, BACKING - 100e18, true);
        vm.prank(carol);
        assertEq(_enforce(miner, 100e18), 100e18);

        assertEq(_own(), OWN - 100e18);
        assertEq(payments.backingOf(coordinator), BACKING - 100e18);
        assertEq(payments.backing(coordinator).paid, 100e18);
        assertEq(payments.coveredOf(coordinator, miner), 100e18);
        assertEq(_collected(miner), 100e18);
        (bool jailed, uint256 until) = staking.jailStatus(coordinator);
        assertTrue(jailed);
        assertEq(until, block.timestamp + JAIL);

        assertEq(cai.balanceOf(miner), 0);
        assertEq(staking.bucketAssetsOf(coordinator, epoch, miner), 100e18);
        _nextEpoch(2);
        vm.expectPartialRevert(IStaking.NotMatured.selector);
        staking.withdraw(coordinator, epoch, miner);
        _nextEpoch(1);
        assertEq(staking.withdraw(coordinator, epoch, miner), 100e18);
        assertEq(cai.balanceOf(miner), 100e18);
    }

    function test_collectsFirstWhatTheChannelCovers() public {
        _notify(miner, 100e18);
        _fund(coordinator, miner, 60e18);
        vm.warp(block.timestamp + NOTICE);
        uint256 supply = cai.totalSupply();
        vm.expectEmit(address(payments));
        emit IPayments.Collected(coordinator, miner, 60e18, 1.2e18, 100e18, 60e18, 0);
        vm.expectEmit(address(payments));
        emit IPayments.Enforced(coordinator, miner, 100e18, 40e18, 0, 100e18, BACKING - 40e18, true);
        assertEq(_enforce(miner, 100e18), 40e18);
        assertEq(cai.balanceOf(miner), 58.8e18);
        assertEq(supply - cai.totalSupply(), 1.2e18);
        assertEq(cai.balanceOf(address(payments)), 0);
        assertEq(_own(), OWN - 40e18);
    }

    function test_takesWhatThaws() public {
        _fund(coordinator, miner, 60e18);
        _notify(miner, 100e18);
        vm.prank(coordinator);
        payments.thaw(coordinator, miner, 60e18);
        vm.warp(block.timestamp + NOTICE);
        assertEq(_enforce(miner, 100e18), 40e18);
        vm.expectPartialRevert(IPayments.NothingThawing.selector);
        payments.withdrawThawed(coordinator, miner);
    }

    function test_fundingCures() public {
        _notify(miner, 100e18);
        vm.warp(block.timestamp + NOTICE);
        _fund(coordinator, miner, 100e18);
        vm.expectEmit(address(payments));
        emit IPayments.Enforced(coordinator, miner, 100e18, 0, 0, 100e18, BACKING, false);
        assertEq(_enforce(miner, 100e18), 0);
        assertFalse(_isJailed());
        assertEq(_own(), OWN);
        assertEq(cai.balanceOf(miner), 98e18);
    }

    /// Also if the payee used what was funded for a higher voucher.
    function test_collectingCures() public {
        _notify(miner, 100e18);
        _fund(coordinator, miner, 100e18);
        _collect(miner, 150e18);
        vm.warp(block.timestamp + NOTICE);
        vm.expectRevert(abi.encodeWithSelector(IPayments.NothingToCollect.selector, coordinator, miner, 100e18, 100e18));
        _enforce(miner, 100e18);
        assertFalse(_isJailed());
    }

    function test_withoutBackingItStillJails() public {
        _setBacking(0);
        _nextEpoch(3);
        _notify(miner, 100e18);
        vm.warp(block.timestamp + NOTICE);
        vm.expectEmit(address(payments));
        emit IPayments.Enforced(coordinator, miner, 100e18, 0, 100e18, 0, 0, true);
        assertEq(_enforce(miner, 100e18), 0);
        assertTrue(_isJailed());
        assertEq(staking.weightOf(coordinator), 0);
        assertEq(_own(), OWN);
    }

    function test_whoIsNoMinerGetsNothingButJustice() public {
        address[2] memory payees = [alice, rival];
        for (uint256 i; i < 2; ++i) {
            assertEq(_exact(payees[i], 100e18), 0);
            assertTrue(_isJailed());
            assertEq(_own(), OWN);
        }
    }

    function test_revertsBeforeTheNoticeEnds() public {
        vm.expectRevert(abi.encodeWithSelector(IPayments.NoticeUnknown.selector, coordinator, miner, 100e18));
        _enforce(miner, 100e18);
        _notify(miner, 100e18);
        uint256 endsAt = block.timestamp + NOTICE;
        vm.warp(endsAt - 1);
        vm.expectRevert(abi.encodeWithSelector(IPayments.NoticeRunning.selector, endsAt, endsAt - 1));
        _enforce(miner, 100e18);
        // A notice of one voucher is none of another.
        vm.warp(endsAt);
        vm.expectPartialRevert(IPayments.NoticeUnknown.selector);
        _enforce(miner, 101e18);
        _enforce(miner, 100e18);
    }

    /// What is still unpaid needs another notice.
    function test_aNoticeIsForOnce() public {
        assertEq(_exact(miner, PART + 7e18), PART);
        vm.expectRevert(abi.encodeWithSelector(IPayments.NoticeUnknown.selector, coordinator, miner, PART + 7e18));
        _enforce(miner, PART + 7e18);
        (, uint256 until) = staking.jailStatus(coordinator);
        vm.warp(until);
        vm.prank(coordinator);
        staking.unjail();
        assertEq(_exact(miner, PART + 7e18), 0);
        assertTrue(_isJailed());
    }

    function test_paysAtMostThePayeesPart() public {
        assertEq(_exact(miner, PART + 1), PART);
        assertEq(_collected(miner), PART);
        assertEq(_own(), OWN - PART);
        // The rest is the others': each part is of all that was ever in the backing.
        assertEq(_exact(other, BACKING), BACKING - PART);
        assertEq(payments.backingOf(coordinator), 0);
        assertEq(payments.backing(coordinator).paid, BACKING);
    }

    /// A puppet that comes again and again, with ever higher vouchers, gets no more than if it had come once.
    function test_aPuppetCannotDrainTheBacking() public {
        uint256 sum;
        uint256 cumulative;
        for (uint256 i; i < 6; ++i) {
            cumulative += 100_000e18;
            sum += _exact(miner, cumulative);
        }
        assertEq(sum, PART);
        assertEq(payments.backingOf(coordinator), BACKING - PART);
        // Neither does adding to the backing begin its count anew: it has a part of what was added.
        _setBacking(BACKING - PART + 1000e18);
        assertEq(_exact(miner, cumulative), 250e18);
        assertEq(_exact(other, 3 * BACKING), 750_750e18);
    }

    function test_aPuppetCannotDrainTheBackingAtOnce() public {
        for (uint256 i = 1; i <= 6; ++i) {
            _notify(miner, i * PART);
        }
        vm.warp(block.timestamp + NOTICE);
        uint256 sum;
        for (uint256 i = 1; i <= 6; ++i) {
            if (_collected(miner) < i * PART) sum += _enforce(miner, i * PART);
        }
        assertEq(sum, PART);
    }

    function test_paysAtMostWhatIsLeftOfTheStake() public {
        _setBacking(OWN);
        _slash(coordinator, 0.5e18);
        _exact(other, 100 * OWN);
        assertEq(_collected(other), OWN / 2);
        assertEq(_own(), 0);
        assertEq(staking.assetsOf(coordinator, alice), VOTES / 2);
        // What the stake did not pay is still behind the vouchers, should there be stake again.
        assertEq(payments.backingOf(coordinator), OWN / 2);
    }

    function test_aLoweringCountsWhenItsTimeHasCome() public {
        _setBacking(BACKING / 2);
        assertEq(_exact(miner, BACKING), PART, "notice and enforcement before it");
        IPayments.BackingState memory b = payments.backing(coordinator);
        assertEq(b.amount, BACKING - PART);
        assertEq(b.lowered, BACKING / 2);
        _nextEpoch(3);
        // Of (500,000 + 250,000 that were paid) a quarter is less than it got.
        assertEq(_exact(miner, BACKING), 0);
        assertEq(_exact(other, BACKING), BACKING / 2);
    }

    function test_whatIsAnnouncedForLaterIsNeverMoreThanIsLeft() public {
        _setBacking(BACKING - 1);
        _exact(miner, BACKING);
        IPayments.BackingState memory b = payments.backing(coordinator);
        assertEq(b.amount, BACKING - PART);
        assertEq(b.lowered, BACKING - PART);
        _nextEpoch(3);
        assertEq(payments.backingOf(coordinator), BACKING - PART);
    }

    /// At the longest notice that the owner may set, begun in the epoch after the lowering, the backing is there when it ends.
    function test_loweringCannotOutrunANotice() public {
        uint256 longest = EPOCH * 3 / 2;
        vm.prank(timelock);
        payments.setNoticePeriod(longest);
        vm.warp(block.timestamp + EPOCH - 1);
        _setBacking(0);
        vm.warp(block.timestamp + 1);
        _notify(miner, 100e18);
        vm.warp(block.timestamp + longest);
        assertEq(_enforce(miner, 100e18), 100e18);
    }

    /// Weights change every epoch, and Staking forgets: the share of the notice stays.
    function test_enforcingLateLosesNothing() public {
        _notify(miner, BACKING);
        for (uint256 i; i < 30; ++i) {
            _nextEpoch(1);
            _delegate(other, bob, 1e18);
        }
        vm.expectPartialRevert(IStaking.ForgottenEpoch.selector);
        staking.totalWeightAt(Role.Miner, 20_001);
        assertEq(_enforce(miner, BACKING), PART);
    }

    /// Once noticed, a voucher stays good when its node is replaced and the grace is over, though collecting it is no longer possible: it is paid from
    /// the channel and from the backing alike.
    function test_replacingTheNodeDoesNotDenyThePayee() public {
        bytes memory signature = _sig(miner, 100e18);
        _notify(miner, 100e18);
        _replaceNode();
        vm.warp(block.timestamp + 10 * GRACE);
        _fund(coordinator, miner, 30e18);
        vm.expectPartialRevert(IPayments.InvalidVoucher.selector);
        payments.collect(coordinator, miner, 100e18, signature);
        assertEq(_enforce(miner, 100e18), 70e18);
        assertEq(cai.balanceOf(miner), 29.4e18);
    }

    /// For the grace a replaced node's vouchers can be noticed, so a coordinator cannot make them void by replacing it.
    function test_aReplacedNodesVouchersCanBeNoticedForItsGrace() public {
        _replaceNode();
        vm.warp(block.timestamp + GRACE);
        _notify(miner, 100e18);
        bytes memory late = _sig(miner, 101e18);
        vm.warp(block.timestamp + 1);
        vm.expectPartialRevert(IPayments.InvalidVoucher.selector);
        payments.notify(coordinator, miner, 101e18, late);
        vm.warp(block.timestamp + NOTICE);
        assertEq(_enforce(miner, 100e18), 100e18);
    }

    /// Nobody's pause stops it: neither collecting, nor notices, nor enforcement, nor the withdrawal in the end.
    function test_pausingEntryDeniesNobody() public {
        vm.prank(guardian);
        staking.pauseEntry(block.timestamp + 7 days);
        _fund(coordinator, miner, 10e18);
        _collect(miner, 10e18);
        uint256 epoch = staking.currentEpoch() + 1;
        assertEq(_exact(miner, 100e18), 90e18);
        _nextEpoch(3);
        assertLt(block.timestamp, staking.pausedUntil());
        assertEq(staking.withdraw(coordinator, epoch, miner), 90e18);
    }

    function test_retiringDoesNotDenyThePayee() public {
        _retire(coordinator);
        assertEq(_exact(miner, 100e18), 100e18);
        assertTrue(_isJailed());
    }

    function test_theJailedPayToo() public {
        _exact(other, 100e18);
        assertTrue(_isJailed());
        assertEq(_exact(miner, 100e18), 100e18);
    }

    function test_aTombstonedPoolPaysToo() public {
        // Half of it seven times is less than a hundredth.
        for (uint256 i; i < 7; ++i) {
            _nextEpoch(1);
            _slash(coordinator, 0.5e18);
        }
        assertTrue(staking.isTombstoned(coordinator));
        assertEq(_exact(miner, 100e18), 100e18);
    }

    /// A coordinator's huge voucher to a miner of its own gets out no more than the miner's part, and that no sooner than by leaving: it matures, and
    /// is slashed with the pool while it does.
    function test_aHugeVoucherToAPuppetIsNoEarlyExit() public {
        assertEq(_exact(miner, type(uint256).max), PART);
        uint256 epoch = staking.currentEpoch();
        _undelegate(coordinator, alice, VOTES * FIRST / 2);
        assertEq(staking.bucketAssetsOf(coordinator, epoch, miner), PART);
        _nextEpoch(2);
        _slash(coordinator, 0.1e18);
        assertEq(staking.bucketAssetsOf(coordinator, epoch, miner), PART - PART / 10);
        assertEq(staking.bucketAssetsOf(coordinator, epoch, alice), VOTES / 2 - VOTES / 20);
        vm.expectPartialRevert(IStaking.NotMatured.selector);
        staking.withdraw(coordinator, epoch, miner);
        _nextEpoch(1);
        assertEq(staking.withdraw(coordinator, epoch, miner), PART - PART / 10);
        assertTrue(_isJailed());
    }

    /// Whatever is noticed and enforced, at whatever price: voters' assets do not fall by a wei, and nobody gets more than its part.
    function testFuzz_votersLoseNothing(uint256[4] memory cumulatives, uint96 rewards, uint64 slashed, uint96 backing)
        public
    {
        _fundRewards(bound(rewards, 1e24, 1e26));
        vm.warp(block.timestamp + EPOCH / 3);
        _slash(coordinator, bound(slashed, 1, 0.5e18));
        uint256 base = bound(backing, 1, _own());
        // No less than what stands, so that it counts at once.
        if (base <= BACKING) base = payments.backingOf(coordinator);
        else _setBacking(base);
        for (uint256 i; i < 4; ++i) {
            address payee = i % 2 == 0 ? miner : other;
            uint256 cumulative = _collected(payee) + bound(cumulatives[i], 1, OWN);
            _notify(payee, cumulative);
            vm.warp(block.timestamp + NOTICE);
            staking.accrue(coordinator);
            uint256 votes = staking.assetsOf(coordinator, alice);
            uint256 own = _own();
            uint256 covered = _enforce(payee, cumulative);
            assertGe(staking.assetsOf(coordinator, alice), votes, "the voter lost");
            assertLe(_own() + covered, own, "the operator paid less than was paid out");
            assertApproxEqAbs(_own() + covered, own, 2);
        }
        assertLe(payments.coveredOf(coordinator, miner), base / 4);
        assertLe(payments.coveredOf(coordinator, other), base * 3 / 4 + 1);
        IPayments.BackingState memory b = payments.backing(coordinator);
        assertEq(b.amount + b.paid, base);
        uint256 sum = payments.coveredOf(coordinator, miner) + payments.coveredOf(coordinator, other);
        assertEq(b.paid, sum);
    }
}
