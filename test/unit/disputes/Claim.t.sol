// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DisputesTest, IDisputes} from "../../utils/DisputesTest.sol";

/// @dev Who gets what. All that a dispute took in goes out again.
contract ClaimTest is DisputesTest {
    IDisputes.Verdict internal constant GUILTY = IDisputes.Verdict.Guilty;
    IDisputes.Verdict internal constant INNOCENT = IDisputes.Verdict.Innocent;
    /// What the jurors of one round said, in the order of `jurors`; None for who stays away.
    IDisputes.Verdict[JURORS] internal said;
    uint256[JURORS] internal probes;

    function setUp() public override {
        super.setUp();
        for (uint256 i; i < JURORS; ++i) {
            (said[i], probes[i]) = (GUILTY, PROBE);
        }
    }

    /// @dev One round of the jury that was called.
    function _round(bytes32 id) internal {
        for (uint256 i; i < JURORS; ++i) {
            if (said[i] != IDisputes.Verdict.None) _commit(id, jurors[i], said[i], probes[i]);
        }
        vm.warp(block.timestamp + COMMIT);
        for (uint256 i; i < JURORS; ++i) {
            if (said[i] != IDisputes.Verdict.None) _reveal(id, jurors[i], said[i], probes[i]);
        }
        vm.warp(block.timestamp + REVEAL);
        disputes.resolve(id);
    }

    function _endVeto(bytes32 id) internal {
        vm.warp(block.timestamp + VETO);
        disputes.resolve(id);
    }

    function _tryClaim(bytes32 id, uint256 round, uint256 index) internal {
        vm.expectRevert(abi.encodeWithSelector(IDisputes.NothingToClaim.selector, id, round, index));
        disputes.claim(id, round, index);
    }

    function _votes(bytes32 id, uint256 from, uint256 to) internal view returns (uint256 sum) {
        for (uint256 i = from; i < to; ++i) {
            sum += disputes.votesOf(id, jurors[i]);
        }
    }

    // --------------------------------------------------------------------------------------------------------------- convicted

    function test_convicted() public {
        // Seven are right; one of them is lazy, one absent, one in the minority, one cannot.
        said[1] = INNOCENT;
        said[2] = IDisputes.Verdict.None;
        said[3] = IDisputes.Verdict.Unable;
        probes[4] = PROBE + PROBE / 999;
        probes[5] = PROBE + PROBE / 1000;
        bytes32 id = _juryOn(1);
        uint256 paidVotes = disputes.votesOf(id, jurors[0]) + _votes(id, 5, 8);
        uint256 minority = disputes.votesOf(id, jurors[1]);
        uint256 heaviest = disputes.votesOf(id, jurors[7]);
        assertGt(2 * _votes(id, 4, 8), 4 * minority, "guilty");
        _round(id);
        uint256 paid = OWN / 10 / 2 - 1;
        uint256 payPerVote = FEE / paidVotes;
        uint256 toChallenger = BOND + FEE + paid - payPerVote * paidVotes;
        vm.warp(block.timestamp + VETO);
        vm.expectEmit(address(disputes));
        emit IDisputes.Resolved(
            id,
            digest,
            miner,
            IDisputes.Phase.Convicted,
            IDisputes.Fault.Transition,
            OWN / 10,
            toChallenger,
            0,
            payPerVote
        );
        disputes.resolve(id);
        assertEq(disputes.dispute(id).medians[0], PROBE);
        assertEq(cai.balanceOf(challenger), 100_000e18 - BOND - FEE + toChallenger);

        // In the order of the reveals: 0, 1, 4, 5, 6, 7.
        vm.expectEmit(address(disputes));
        emit IDisputes.Claimed(id, 0, jurors[7], payPerVote * heaviest);
        vm.prank(carol);
        assertEq(disputes.claim(id, 0, 5), payPerVote * heaviest);
        assertEq(cai.balanceOf(jurors[7]), payPerVote * heaviest);
        _tryClaim(id, 0, 5);
        disputes.claim(id, 0, 0);
        _tryClaim(id, 0, 1);
        _tryClaim(id, 0, 2);
        disputes.claim(id, 0, 3);
        disputes.claim(id, 0, 4);
        _tryClaim(id, 0, 6);
        _tryClaim(id, 1, 0);
        _tryClaim(id, type(uint256).max, 0);
        assertEq(cai.balanceOf(address(disputes)), 0, "all is paid out");
    }

    function test_notBeforeTheEnd() public {
        bytes32 id = _juryOn(1);
        _round(id);
        vm.expectRevert(abi.encodeWithSelector(IDisputes.WrongPhase.selector, id, IDisputes.Phase.Veto));
        disputes.claim(id, 0, 0);
    }

    /// @notice The jurors' fee is certain: the deposit covers what the slash does not pay.
    function test_jurorsArePaidWithoutASlash() public {
        bytes32 id = _juryOn(1);
        _round(id);
        vm.warp(block.timestamp + VETO);
        _slash(miner, 0.5e18);
        _slash(miner, 0.25e18);
        disputes.resolve(id);
        uint256 sum;
        for (uint256 i; i < JURORS; ++i) {
            sum += disputes.claim(id, 0, i);
        }
        assertApproxEqAbs(sum, FEE, 100);
        assertEq(cai.balanceOf(challenger) + sum, 100_000e18, "the fee is the challenger's loss");
        assertEq(cai.balanceOf(address(disputes)), 0);
    }

    /// @notice Without a jury all is the challenger's.
    function test_noAnswer() public {
        bytes32 id = _challenge(1);
        vm.warp(block.timestamp + ANSWER);
        disputes.resolve(id);
        _endVeto(id);
        assertEq(cai.balanceOf(challenger), 100_000e18 + OWN / 10 / 2 - 1, "half of the loss, rounded down");
        assertEq(cai.balanceOf(address(disputes)), 0);
        _tryClaim(id, 0, 0);
    }

    /// @notice The winners of every round are paid alike, each by its own round's median.
    function test_severalRounds() public {
        for (uint256 i; i < JURORS; ++i) {
            if (i % 4 == 1 || i % 4 == 2) said[i] = INNOCENT;
        }
        bytes32 id = _juryOn(1);
        uint256 paidVotes;
        for (uint256 i; i < JURORS; ++i) {
            if (said[i] == GUILTY) paidVotes += disputes.votesOf(id, jurors[i]);
        }
        _round(id);
        assertEq(disputes.dispute(id).round, 1);
        _callJury(id);
        for (uint256 i; i < JURORS; ++i) {
            (said[i], probes[i]) = (GUILTY, 2 * PROBE);
        }
        paidVotes += _votes(id, 0, 8);
        _round(id);
        _endVeto(id);
        IDisputes.Dispute memory d = disputes.dispute(id);
        assertEq(d.payPerVote, FEE / paidVotes);
        assertEq(d.medians[0], PROBE);
        assertEq(d.medians[1], 2 * PROBE);
        disputes.claim(id, 0, 0);
        _tryClaim(id, 0, 1);
        _tryClaim(id, 0, 2);
        disputes.claim(id, 0, 3);
        disputes.claim(id, 0, 4);
        disputes.claim(id, 0, 7);
        for (uint256 i; i < JURORS; ++i) {
            disputes.claim(id, 1, i);
        }
        assertEq(cai.balanceOf(address(disputes)), 0);
    }

    // --------------------------------------------------------------------------------------------------------------- acquitted

    function test_acquitted() public {
        for (uint256 i; i < JURORS; ++i) {
            said[i] = INNOCENT;
        }
        said[0] = GUILTY;
        bytes32 id = _juryOn(1);
        uint256 paidVotes = _votes(id, 1, 8);
        _round(id);
        _assertPhase(id, IDisputes.Phase.Acquitted);
        assertEq(cai.balanceOf(challenger), 100_000e18 - BOND - FEE);
        uint256 payPerVote = FEE / paidVotes;
        assertEq(cai.balanceOf(miner), BOND + FEE - payPerVote * paidVotes, "the bond, and what does not divide");
        _tryClaim(id, 0, 0);
        for (uint256 i = 1; i < JURORS; ++i) {
            disputes.claim(id, 0, i);
        }
        assertEq(cai.balanceOf(address(disputes)), 0);
    }

    // -------------------------------------------------------------------------------------------------------------------- drawn

    /// @notice In a draw all who judged are paid, on both sides, if their probe is right.
    function test_drawn() public {
        for (uint256 i; i < JURORS; ++i) {
            if (i % 4 == 1 || i % 4 == 2) said[i] = INNOCENT;
        }
        probes[7] = 1;
        bytes32 id = _challenge(1);
        _answer(id);
        uint256 paidVotes;
        for (uint256 round; round < 3; ++round) {
            _callJury(id);
            paidVotes += _votes(id, 0, 7);
            _round(id);
        }
        _assertPhase(id, IDisputes.Phase.Drawn);
        uint256 payPerVote = FEE / paidVotes;
        assertEq(cai.balanceOf(challenger), 100_000e18 - payPerVote * paidVotes);
        for (uint256 round; round < 3; ++round) {
            for (uint256 i; i < 7; ++i) {
                disputes.claim(id, round, i);
            }
            _tryClaim(id, round, 7);
        }
        assertEq(cai.balanceOf(address(disputes)), 0);
        assertEq(cai.balanceOf(miner), 0);
    }

    /// @notice What one dispute holds is not another's: pay of the first does not come out of the second's deposit.
    function test_disputesDoNotShareMoney() public {
        bytes32 first = _juryOn(1);
        _round(first);
        bytes32 second = _challenge(2);
        uint256 held = cai.balanceOf(address(disputes));
        assertEq(held, 2 * (BOND + FEE));
        _endVeto(first);
        for (uint256 i; i < JURORS; ++i) {
            disputes.claim(first, 0, i);
            _tryClaim(first, 0, i);
        }
        assertEq(cai.balanceOf(address(disputes)), BOND + FEE);
        disputes.resolve(second);
        assertEq(cai.balanceOf(address(disputes)), 0);
    }

    /// @notice Whatever the jurors say and however often they come: nothing is left behind but what the entitled have not claimed, and
    /// nobody gets more than there is.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_allIsPaidOut(uint256 random) public {
        bytes32 id = _challenge(1);
        _answer(id);
        while (disputes.dispute(id).phase < IDisputes.Phase.Veto) {
            _callJury(id);
            for (uint256 i; i < JURORS; ++i) {
                random = uint256(keccak256(abi.encode(random)));
                said[i] = IDisputes.Verdict(random % 7 < 4 ? 1 + random % 2 : random % 4);
                probes[i] = PROBE + (random >> 128) % (PROBE / 400);
            }
            _round(id);
        }
        if (disputes.dispute(id).phase == IDisputes.Phase.Veto) _endVeto(id);
        uint256 claimed;
        for (uint256 round; round < 3; ++round) {
            for (uint256 i; i < JURORS; ++i) {
                try disputes.claim(id, round, i) returns (uint256 amount) {
                    claimed += amount;
                } catch {}
            }
        }
        assertLe(claimed, FEE);
        assertEq(cai.balanceOf(address(disputes)), 0);
    }
}
