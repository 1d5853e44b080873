// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPayments, PaymentsTest, Role} from "../utils/PaymentsTest.sol";

/// What collecting notes for the mining stream.
contract WorkTest is PaymentsTest {
    /// The coordinator's share of all coordinators' weight: 4 of 16 million.
    uint256 internal constant COORDINATOR_SHARE = 0.25e18;

    uint256 internal epoch;

    function setUp() public override {
        super.setUp();
        epoch = staking.currentEpoch();
        _fund(coordinator, miner, 100e18);
        _fund(coordinator, other, 100e18);
    }

    function _assertWork(uint256 inEpoch, address payer, uint256 fees, uint256 share) internal view {
        (uint256 f, uint256 s) = payments.workOf(inEpoch, payer);
        assertEq(f, fees, "fees");
        assertEq(s, share, "share");
    }

    function test_sumsFeesByEpochPayerAndPayee() public {
        _assertWork(epoch, coordinator, 0, 0);
        _collect(miner, 10e18);
        _collect(miner, 15e18);
        _collect(other, 7e18);
        assertEq(payments.feesOf(epoch, coordinator, miner), 15e18);
        assertEq(payments.feesOf(epoch, coordinator, other), 7e18);
        _assertWork(epoch, coordinator, 22e18, COORDINATOR_SHARE);
        assertEq(payments.sharesWorked(epoch), COORDINATOR_SHARE);

        _nextEpoch(1);
        _collect(miner, 20e18);
        assertEq(payments.feesOf(epoch + 1, coordinator, miner), 5e18);
        assertEq(payments.feesOf(epoch, coordinator, miner), 15e18);
        _assertWork(epoch + 1, coordinator, 5e18, COORDINATOR_SHARE);
        _assertWork(epoch, coordinator, 22e18, COORDINATOR_SHARE);
        assertEq(payments.sharesWorked(epoch + 1), COORDINATOR_SHARE);
        assertEq(payments.sharesWorked(epoch + 2), 0);
    }

    function test_collectManyNotesTheSame() public {
        IPayments.SignedVoucher[] memory vouchers = new IPayments.SignedVoucher[](3);
        vouchers[0] = IPayments.SignedVoucher(coordinator, miner, 10e18, _sig(miner, 10e18));
        vouchers[1] = IPayments.SignedVoucher(coordinator, other, 7e18, _sig(other, 7e18));
        vouchers[2] = IPayments.SignedVoucher(coordinator, miner, 15e18, _sig(miner, 15e18));
        payments.collectMany(vouchers);
        assertEq(payments.feesOf(epoch, coordinator, miner), 15e18);
        _assertWork(epoch, coordinator, 22e18, COORDINATOR_SHARE);
        assertEq(payments.sharesWorked(epoch), COORDINATOR_SHARE);
    }

    function test_notesWhatWasCollectedNotWhatWasPromised() public {
        _collect(miner, 300e18);
        assertEq(payments.feesOf(epoch, coordinator, miner), 100e18);
    }

    /// From the channel, not from the backing.
    function test_whatTheBackingPaysIsNoWork() public {
        _setBacking(BACKING);
        _exact(miner, 130e18);
        assertEq(_collected(miner), 130e18);
        assertEq(payments.feesOf(epoch + 1, coordinator, miner), 100e18);
        _assertWork(epoch + 1, coordinator, 100e18, COORDINATOR_SHARE);
    }

    function test_eachCoordinatorHasItsShare() public {
        _fund(rival, miner, 10e18);
        (, uint256 key) = makeAddrAndKey("rival");
        payments.collect(rival, miner, 10e18, _voucher(key, rival, miner, 10e18));
        _assertWork(epoch, rival, 10e18, 0.75e18);
        _collect(miner, 10e18);
        assertEq(payments.sharesWorked(epoch), 1e18);
        assertEq(payments.feesOf(epoch, rival, miner), 10e18);
    }

    /// The share is of the epoch's start: what is staked, slashed or jailed after it changes nothing.
    function test_theShareIsOfTheEpochsStart() public {
        _delegate(rival, bob, 50_000_000e18);
        _slash(coordinator, 0.5e18);
        _collect(miner, 10e18);
        _assertWork(epoch, coordinator, 10e18, COORDINATOR_SHARE);
        _nextEpoch(1);
        _collect(miner, 20e18);
        // Own stake is 1.5 million now: no weight.
        _assertWork(epoch + 1, coordinator, 10e18, 0);
        assertEq(payments.sharesWorked(epoch + 1), 0);
    }

    function test_aNewcomersWorkCountsFromTheNextEpoch() public {
        address newcomer = makeAddr("newcomer");
        _register(newcomer, Role.Miner, 30_000e18);
        _fund(coordinator, newcomer, 100e18);
        _collect(newcomer, 10e18);
        assertEq(payments.feesOf(epoch, coordinator, newcomer), 0);
        _assertWork(epoch, coordinator, 0, 0);
        assertEq(payments.sharesWorked(epoch), 0);
        _nextEpoch(1);
        _collect(newcomer, 20e18);
        assertEq(payments.feesOf(epoch + 1, coordinator, newcomer), 10e18);
    }

    /// Whoever is no miner with weight is paid all the same, but earns nothing beyond.
    function test_onlyMinersWork() public {
        address[3] memory payees = [alice, rival, coordinator];
        for (uint256 i; i < 3; ++i) {
            _fund(coordinator, payees[i], 10e18);
            _collect(payees[i], 10e18);
            assertEq(payments.feesOf(epoch, coordinator, payees[i]), 0);
        }
        _retire(miner);
        _nextEpoch(1);
        _collect(miner, 10e18);
        assertEq(cai.balanceOf(miner), 9.8e18);
        assertEq(payments.feesOf(epoch + 1, coordinator, miner), 0);
        _assertWork(epoch, coordinator, 0, 0);
        _assertWork(epoch + 1, coordinator, 0, 0);
    }

    /// A miner's weight is none of the coordinators', though it signs vouchers: else it would earn more than all there is.
    function test_aMinerThatPaysHasNoShare() public {
        _fund(miner, other, 10e18);
        payments.collect(miner, other, 10e18, _voucher(minerKey, miner, other, 10e18));
        _assertWork(epoch, miner, 10e18, 0);
        assertEq(payments.sharesWorked(epoch), 0);
    }

    function test_aJailedCoordinatorsWorkEarnsNothing() public {
        _exact(other, 101e18);
        assertTrue(_isJailed());
        _nextEpoch(1);
        _collect(miner, 10e18);
        _assertWork(staking.currentEpoch(), coordinator, 10e18, 0);
    }

    /// Whatever the stakes: shares never sum to more than one.
    function testFuzz_sharesSumToAtMostOne(uint96[3] memory votes) public {
        address[3] memory all = [coordinator, rival, makeAddr("third")];
        _register(all[2], Role.Coordinator, 2_000_001e18);
        for (uint256 i; i < 3; ++i) {
            _delegate(all[i], bob, bound(votes[i], 1, 100_000_000e18));
        }
        _nextEpoch(1);
        _collect(miner, 1);
        for (uint256 i = 1; i < 3; ++i) {
            (, uint256 key) = makeAddrAndKey(i == 1 ? "rival" : "third");
            _fund(all[i], miner, 1);
            payments.collect(all[i], miner, 1, _voucher(key, all[i], miner, 1));
        }
        uint256 sum = payments.sharesWorked(staking.currentEpoch());
        assertLe(sum, 1e18);
        assertGe(sum, 1e18 - 3);
    }
}
