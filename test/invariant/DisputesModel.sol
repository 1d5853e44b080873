// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {DisputesActors} from "./DisputesActors.sol";
import {IDisputes, Role} from "../utils/DisputesTest.sol";

/// @dev What must be, reckoned apart from the contract: who sits with how many votes, what is due, what comes out of it, who is paid what.
abstract contract DisputesModel is DisputesActors {
    struct Ghost {
        bytes32 digest;
        address accused;
        address challenger;
        uint256 receipt;
        uint256 transition;
        uint256 epoch;
        /// The dispute as it was after the last action on it.
        bytes32 seen;
        uint256 rank;
        uint256 version;
        bytes32 parameters;
        /// All that jurors may claim, once it ended.
        uint256 toJurors;
        uint256 claimed;
    }

    struct Plan {
        IDisputes.Verdict verdict;
        uint256 probe;
        bytes32 salt;
        uint256 votes;
        bool revealed;
    }

    struct Tally {
        uint256 committed;
        uint256 operators;
        uint256 guilty;
        uint256 innocent;
        uint256 jurors;
    }

    /// Whatever an end may change.
    struct Balances {
        uint256 challenger;
        uint256 accused;
        uint256 disputes;
        uint256 staking;
        uint256 supply;
        uint256 pool;
        uint256 own;
        /// Of the last epochs, the current one first: all, and what is the operator's own.
        uint256[8] buckets;
        uint256[8] ownBuckets;
    }

    bytes32[] public ids;
    mapping(bytes32 id => Ghost) internal _ghosts;
    mapping(bytes32 id => IDisputes.Parameters) internal _frozen;
    mapping(bytes32 id => mapping(uint256 round => mapping(address operator => Plan))) internal _plans;
    mapping(bytes32 id => mapping(uint256 round => Tally)) internal _tallies;
    mapping(bytes32 digest => uint256) public convictions;
    mapping(address operator => mapping(uint256 epoch => uint256)) internal _slashedIn;
    mapping(address operator => mapping(uint256 epoch => uint256)) internal _takenFrom;
    /// Of convictions: what was paid out on top of the deposits, and what the convicts' own shares lost.
    uint256 public paidOut;
    uint256 public ownLost;
    uint256 public burned;
    uint256 public escalated;
    uint256 public vetoed;
    uint256 public closed;
    mapping(IDisputes.Phase outcome => mapping(IDisputes.Fault fault => uint256)) public outcomes;

    // ---------------------------------------------------------------------------------------------------------------- juries

    /// @dev floor(k * w / W), and one more by the draw; nothing for who is involved or no miner now.
    function _expectedVotes(bytes32 id, address operator) internal view returns (uint256 votes) {
        bytes32 seed = disputes.seedOf(id);
        Ghost storage g = _ghosts[id];
        if (seed == 0 || operator == g.accused || operator == g.challenger) return 0;
        if (staking.weightOf(operator) == 0) return 0;
        uint256 total = staking.totalWeightAt(Role.Miner, g.epoch - 1);
        uint256 share = 16 * 2 ** disputes.dispute(id).round * staking.weightAt(operator, g.epoch - 1);
        if (total == 0) return 0;
        votes = share / total;
        if (uint256(keccak256(abi.encode(seed, operator))) % total < share % total) ++votes;
    }

    function _verdict(bytes32 id, uint256 round) internal view returns (IDisputes.Verdict) {
        Tally memory t = _tallies[id][round];
        uint256 all = t.guilty + t.innocent;
        if (all < 5 || t.jurors < _frozen[id].minJurors) return IDisputes.Verdict.None;
        if (t.guilty * 3 >= all * 2) return IDisputes.Verdict.Guilty;
        return t.innocent * 3 >= all * 2 ? IDisputes.Verdict.Innocent : IDisputes.Verdict.None;
    }

    // --------------------------------------------------------------------------------------------------------------- machine

    function _dueAt(bytes32 id) internal view returns (uint256) {
        IDisputes.Dispute memory d = disputes.dispute(id);
        return d.phase == IDisputes.Phase.Jury ? d.deadline + _frozen[id].revealWindow : d.deadline;
    }

    function _isAnswered(bytes32 id) internal view returns (bool) {
        Ghost storage g = _ghosts[id];
        if (g.transition == 0 && !_isComplete(g.digest, BLOB)) return false;
        if (g.transition != 0 && !_isComplete(g.digest, g.transition - 1)) return false;
        return g.transition == 3 || _isComplete(g.digest, g.transition);
    }

    function _isComplete(bytes32 digest_, uint256 part) internal view returns (bool) {
        (bytes32 leaf, uint256 missing) = disputes.opened(digest_, part);
        return leaf != 0 && missing == 0;
    }

    /// @dev Where `resolve` must lead now; where it is, if nothing is due.
    function _expected(bytes32 id) internal view returns (IDisputes.Phase, uint256 round) {
        IDisputes.Dispute memory d = disputes.dispute(id);
        round = d.round;
        if (d.phase >= IDisputes.Phase.Convicted) return (d.phase, round);
        if (convictions[d.result] != 0) return (IDisputes.Phase.Drawn, round);
        bool late = block.timestamp >= _dueAt(id);
        if (d.phase == IDisputes.Phase.Answer) {
            if (_isAnswered(id)) return (IDisputes.Phase.Seed, round);
            return late ? _guilty(id, round) : (d.phase, round);
        }
        if (d.phase == IDisputes.Phase.Seed) {
            if (late) return _fail(id, round);
            return (disputes.seedOf(id) == 0 ? d.phase : IDisputes.Phase.Jury, round);
        }
        if (!late) return (d.phase, round);
        if (d.phase == IDisputes.Phase.Veto) return (IDisputes.Phase.Convicted, round);
        IDisputes.Verdict verdict = _verdict(id, round);
        if (verdict == IDisputes.Verdict.Guilty) return _guilty(id, round);
        return verdict == IDisputes.Verdict.Innocent ? (IDisputes.Phase.Acquitted, round) : _fail(id, round);
    }

    function _guilty(bytes32 id, uint256 round) internal view returns (IDisputes.Phase, uint256) {
        bool veto = _frozen[id].vetoWindow != 0 && staking.guardian() != address(0);
        return (veto ? IDisputes.Phase.Veto : IDisputes.Phase.Convicted, round);
    }

    function _fail(bytes32 id, uint256 round) internal view returns (IDisputes.Phase, uint256) {
        if (round + 1 == _frozen[id].rounds) return (IDisputes.Phase.Drawn, round);
        return (IDisputes.Phase.Seed, round + 1);
    }

    /// @dev Looks at a dispute after an action on it: it went forward, and its deadline is of the parameters that it opened with.
    function _observe(bytes32 id) internal {
        Ghost storage g = _ghosts[id];
        IDisputes.Dispute memory d = disputes.dispute(id);
        IDisputes.Parameters memory p = _frozen[id];
        bytes32 seen = keccak256(abi.encode(d));
        if (seen == g.seen) return;
        g.seen = seen;
        uint256 rank = _rank(d);
        assertGe(rank, g.rank, "phases only go forward");
        if (rank != g.rank) {
            g.rank = rank;
            uint256 window;
            if (d.phase == IDisputes.Phase.Answer) window = p.answerWindow;
            else if (d.phase == IDisputes.Phase.Seed) window = p.seedWindow;
            else if (d.phase == IDisputes.Phase.Jury) window = p.commitWindow;
            else if (d.phase == IDisputes.Phase.Veto) window = p.vetoWindow;
            assertEq(d.deadline, block.timestamp + window, "a window of the parameters of its opening");
            if (d.phase == IDisputes.Phase.Seed && d.round != 0) ++escalated;
        }
        Tally memory t = _tallies[id][d.round];
        assertEq(d.guilty, t.guilty, "guilty votes are those that were revealed");
        assertEq(d.innocent, t.innocent, "innocent votes are those that were revealed");
        assertEq(d.jurors, t.jurors, "jurors are those who revealed");
    }

    function _rank(IDisputes.Dispute memory d) internal pure returns (uint256) {
        if (d.phase >= IDisputes.Phase.Convicted) return 100;
        if (d.phase == IDisputes.Phase.Veto) return 50;
        if (d.phase == IDisputes.Phase.Answer) return 1;
        return 2 + 2 * d.round + (d.phase == IDisputes.Phase.Jury ? 1 : 0);
    }

    // ----------------------------------------------------------------------------------------------------------------- money

    function _balances(bytes32 id) internal view returns (Balances memory b) {
        Ghost storage g = _ghosts[id];
        (b.challenger, b.accused) = (cai.balanceOf(g.challenger), cai.balanceOf(g.accused));
        (b.disputes, b.staking) = (cai.balanceOf(address(disputes)), cai.balanceOf(address(staking)));
        b.supply = cai.totalSupply();
        (b.pool,) = staking.pool(g.accused);
        b.own = staking.assetsOf(g.accused, g.accused);
        for (uint256 i; i < 8; ++i) {
            uint256 epoch = staking.currentEpoch() - i;
            (b.buckets[i],) = staking.bucket(g.accused, epoch);
            b.ownBuckets[i] = staking.bucketAssetsOf(g.accused, epoch, g.accused);
        }
    }

    /// @dev After the end: everybody was paid what the outcome says, and a convict lost what its fraction says.
    function _ended(bytes32 id, Balances memory b) internal {
        Ghost storage g = _ghosts[id];
        IDisputes.Dispute memory d = disputes.dispute(id);
        g.toJurors = _reckonPay(id, d);
        uint256 deposit = uint256(_frozen[id].bond) + _frozen[id].juryFee;
        Balances memory a = _balances(id);
        uint256 paid;
        if (d.phase == IDisputes.Phase.Convicted) {
            ++convictions[d.result];
            paid = _slashed(id, b, a);
        } else {
            assertEq(a.staking, b.staking, "only convicts are slashed");
            assertEq(a.pool, b.pool, "only convicts lose stake");
        }
        uint256 toChallenger = deposit - g.toJurors + paid;
        uint256 toAccused;
        if (d.phase == IDisputes.Phase.Acquitted) (toChallenger, toAccused) = (0, toChallenger);
        assertEq(a.challenger - b.challenger, toChallenger, "the challenger's due");
        assertEq(a.accused - b.accused, toAccused, "the accused's due");
        assertEq(b.disputes + paid - a.disputes, toChallenger + toAccused, "nobody else was paid");
        ++outcomes[d.phase][d.fault];
    }

    function _slashed(bytes32 id, Balances memory b, Balances memory a) internal returns (uint256 paid) {
        Ghost storage g = _ghosts[id];
        uint256 current = staking.currentEpoch();
        // A hold that expired binds nothing that has matured.
        uint256 first = (current <= g.epoch + 4 ? g.epoch : current) - 2;
        uint256 fraction = _fractionNow(g.accused, _frozen[id].fraction);
        assertEq(b.pool - a.pool, b.pool * fraction / 1e18, "the fraction of the pool");
        uint256 lost = b.pool - a.pool;
        uint256 own = b.own - a.own;
        for (uint256 i; i < 8; ++i) {
            (uint256 epoch, uint256 loss) = (current - i, b.buckets[i] - a.buckets[i]);
            // What was drawn early counts, but stays with who has it.
            uint256 most = (b.buckets[i] + _takenFrom[g.accused][epoch]) * fraction / 1e18;
            if (epoch < first) assertEq(loss, 0, "what had left before the challenge");
            else if (i < 3) assertEq(loss, most, "the fraction of what matures");
            else assertLe(loss, most, "more than the fraction of what was held back");
            lost += loss;
            own += b.ownBuckets[i] - a.ownBuckets[i];
        }
        assertEq(b.staking - a.staking, lost, "nothing else was touched");
        paid = lost - (b.supply - a.supply);
        burned += lost - paid;
        // Each of nine values is rounded down.
        assertLe(2 * paid, own + 9, "paid out at most half of the own loss");
        // Whoever of challenger and jurors is the convict's puppet: with all that they are paid they lose.
        assertLe(a.challenger + g.toJurors, b.challenger + _frozen[id].bond + _frozen[id].juryFee + own, "puppets gain");
        (paidOut, ownLost) = (paidOut + paid, ownLost + own);
        (bool jailed, uint256 until) = staking.jailStatus(g.accused);
        if (_frozen[id].jailTerm != 0) assertTrue(jailed && until >= block.timestamp + _frozen[id].jailTerm, "jailed");
    }

    /// @dev What is left of 75% in this epoch.
    function _fractionNow(address operator, uint256 fraction) internal returns (uint256) {
        uint256 epoch = staking.currentEpoch();
        uint256 left = 0.75e18 - _slashedIn[operator][epoch];
        if (fraction > left) fraction = left;
        _slashedIn[operator][epoch] += fraction;
        return fraction;
    }

    /// @dev Checks medians and pay per vote; all that can be claimed.
    function _reckonPay(bytes32 id, IDisputes.Dispute memory d) internal view returns (uint256) {
        uint256 paidVotes;
        for (uint256 round; round <= d.round; ++round) {
            uint256 jurors_ = _tallies[id][round].jurors;
            uint256[3] memory sums;
            for (uint256 i; i < jurors_; ++i) {
                IDisputes.Vote memory v = disputes.vote(id, round, i);
                if (!_isWinner(d.phase, v.verdict)) continue;
                sums[0] += v.votes;
                if (v.probe < d.medians[round]) sums[1] += v.votes;
                if (v.probe > d.medians[round]) sums[2] += v.votes;
                if (_isPaid(d, round, v)) paidVotes += v.votes;
            }
            assertLe(2 * sums[1], sums[0], "half of the votes are not below the median");
            assertLe(2 * sums[2], sums[0], "half of the votes are not above the median");
        }
        uint256 fee = _frozen[id].juryFee;
        assertEq(d.payPerVote, paidVotes == 0 ? 0 : fee / paidVotes, "pay of a vote");
        return d.payPerVote * paidVotes;
    }

    function _isWinner(IDisputes.Phase outcome, IDisputes.Verdict verdict) internal pure returns (bool) {
        if (outcome == IDisputes.Phase.Drawn) return true;
        return (outcome == IDisputes.Phase.Convicted) == (verdict == IDisputes.Verdict.Guilty);
    }

    function _isPaid(IDisputes.Dispute memory d, uint256 round, IDisputes.Vote memory v) internal pure returns (bool) {
        uint256 median = d.medians[round];
        uint256 off = v.probe > median ? v.probe - median : median - v.probe;
        return _isWinner(d.phase, v.verdict) && off * 1000 <= median;
    }

    // ---------------------------------------------------------------------------------------------------------- for the test

    function count() external view returns (uint256) {
        return ids.length;
    }

    function ghost(bytes32 id) external view returns (Ghost memory, IDisputes.Parameters memory) {
        return (_ghosts[id], _frozen[id]);
    }

    function tally(bytes32 id, uint256 round) external view returns (Tally memory) {
        return _tallies[id][round];
    }

    function plan(bytes32 id, uint256 round, address operator) external view returns (Plan memory) {
        return _plans[id][round][operator];
    }

    function contracts() external view returns (address, address, address) {
        return (address(disputes), address(staking), address(cai));
    }

    /// @dev What Disputes holds of an operator since an epoch: Staking says so when it refuses to release more.
    function heldSince(address operator, uint256 epoch) external returns (uint256 held) {
        vm.prank(address(disputes));
        try staking.release(operator, type(uint256).max, epoch) {
            fail();
        } catch (bytes memory reason) {
            assertEq(bytes4(reason), IStaking.NotHeld.selector);
            // Its third argument.
            assembly ("memory-safe") {
                held := mload(add(reason, 0x64))
            }
        }
    }
}
