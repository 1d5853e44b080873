// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DisputesStakers} from "./DisputesStakers.sol";
import {IDisputes, Jury} from "../utils/DisputesTest.sol";

/// @dev Plays the whole game at random: challenges, answers, sits, resolves, vetoes, claims, and moves time, while stakers do what they like.
/// What must be refused is tried as well; what must succeed is asserted to.
contract DisputesHandler is DisputesStakers {
    uint256 internal constant MOST = 16;

    // ------------------------------------------------------------------------------------------------------ accuse and answer

    /// @param fresh Not 1 mod 3: of a new receipt; else of one that is there.
    /// @param transition Up to 4, which is one too many.
    function challenge(uint256 accused, uint256 who, uint256 kind, uint256 fresh, uint256 transition) external {
        if (ids.length == MOST) return;
        uint256 which;
        if (fresh % 3 == 1 && _receipts.length != 0) {
            which = fresh / 3 % _receipts.length;
        } else {
            uint256 life = disputes.parameters(disputes.currentVersion()).maxOfferLife;
            uint256 expiry = block.timestamp + uint256(keccak256(abi.encode(fresh))) % (life + 1);
            which = _newReceipt(miners[accused % 4], Kind(kind % 3), expiry, fresh % 2 == 0);
        }
        address who_ = _challenger(_receipts[which].offer.miner, who);
        transition = transition % 16 == 15 ? 4 : transition % 4;
        _challenge(which, who_, transition);
        if (disputes.isListed(MODEL) && block.timestamp >= staking.pausedUntil()) return;
        // That was refused: once more when it may be.
        vm.startPrank(timelock);
        disputes.setModel(MODEL, true);
        staking.pauseEntry(0);
        vm.stopPrank();
        _challenge(which, who_, transition);
    }

    /// @dev A coordinator's node, a staker, a miner, a miner's node, a puppet; or the accused itself, which is refused.
    function _challenger(address accused, uint256 who) internal view returns (address) {
        if (who % 16 == 15) return accused;
        if (who % 16 == 14) return registry.nodeOf(accused);
        if (who % 5 == 0) return puppet;
        if (who % 5 == 1) return coordinatorNode;
        if (who % 5 == 2) return carol;
        address other = miners[who / 5 % MINERS];
        if (other == accused) other = miners[MINERS - 1];
        return who % 5 == 3 ? other : registry.nodeOf(other);
    }

    function _challenge(uint256 which, address who, uint256 transition) internal {
        Trade storage r = _receipts[which];
        bytes32 id = _idOf(r, transition);
        bytes memory data = _challengeCall(r, transition);
        bool allowed = transition < 4 && _isChallengeable(r) && _ghosts[id].rank == 0;
        address challenger_ = who;
        if (who == registry.nodeOf(registry.operatorOf(who))) challenger_ = registry.operatorOf(who);
        if (challenger_ == r.offer.miner) allowed = false;
        IDisputes.Parameters memory p = disputes.parameters(disputes.currentVersion());
        uint256 deposit = uint256(p.bond) + p.juryFee;
        _give(who, address(disputes), deposit);
        uint256 before = cai.balanceOf(address(disputes));
        vm.prank(who);
        (bool ok,) = address(disputes).call(data);
        assertEq(ok, allowed, "who may challenge what");
        if (!ok) return;
        assertEq(cai.balanceOf(address(disputes)), before + deposit, "bond and fee come in");
        _remember(id, r, challenger_, p);
        (_ghosts[id].receipt, _ghosts[id].transition) = (which, transition);
        _observe(id);
    }

    function _isChallengeable(Trade storage r) internal view returns (bool) {
        IDisputes.Parameters memory p = disputes.parameters(disputes.currentVersion());
        uint256 expiry = r.offer.expiry;
        address accused = r.offer.miner;
        address signer = _signerOf(r);
        bool liable = signer == vm.addr(_key[accused]) || expiry <= _replacedAt[signer] + GRACE;
        return liable && convictions[r.digest] == 0 && disputes.isListed(MODEL)
            && block.timestamp >= staking.pausedUntil() && expiry <= block.timestamp + p.maxOfferLife
            && block.timestamp <= expiry + p.challengeWindow;
    }

    function _signerOf(Trade storage r) internal view returns (address) {
        bytes memory s = r.resultSignature;
        bytes32 a;
        bytes32 b;
        assembly ("memory-safe") {
            a := mload(add(s, 32))
            b := mload(add(s, 64))
        }
        return ecrecover(r.digest, uint8(s[64]), a, b);
    }

    function _remember(bytes32 id, Trade storage r, address challenger_, IDisputes.Parameters memory p) internal {
        ids.push(id);
        Ghost storage g = _ghosts[id];
        (g.digest, g.accused, g.challenger) = (r.digest, r.offer.miner, challenger_);
        (g.epoch, g.version) = (staking.currentEpoch(), disputes.currentVersion());
        g.parameters = keccak256(abi.encode(p));
        _frozen[id] = p;
        IDisputes.Dispute memory d = disputes.dispute(id);
        assertEq(d.accused, g.accused, "accused");
        assertEq(d.challenger, challenger_, "a node challenges for its operator");
        assertEq(d.epoch, g.epoch, "epoch");
        bool wrong = r.kind == Kind.States;
        assertEq(uint8(d.phase), uint8(wrong ? IDisputes.Phase.Veto : IDisputes.Phase.Answer), "guilty at once");
        assertEq(uint8(d.fault), uint8(wrong ? IDisputes.Fault.Structure : IDisputes.Fault.None), "of structure");
    }

    /// @param mode 0: one chunk; else everything.
    function answer(uint256 which, uint256 mode) public {
        bytes32 id = _pick(which, IDisputes.Phase.Answer, IDisputes.Phase.Answer);
        if (id == 0 || block.timestamp >= disputes.dispute(id).deadline) return;
        Ghost storage g = _ghosts[id];
        Kind kind = _receipts[g.receipt].kind;
        (uint256 t, bool sound) = (g.transition, true);
        if (t == 0) _sendBlob(id);
        else sound = _part(id, kind, t - 1, _source(kind, t - 1), mode % 8 == 0 ? mode / 8 % 2 : 2);
        if (sound && t != 3 && mode % 8 != 0) sound = _part(id, kind, t, _source(kind, t), 2);
        IDisputes.Dispute memory d = disputes.dispute(id);
        if (!sound) assertEq(uint8(d.fault), uint8(IDisputes.Fault.Structure), "structure");
        else if (_isAnswered(id)) assertEq(uint8(d.phase), uint8(IDisputes.Phase.Seed), "answered");
        else assertEq(uint8(d.phase), uint8(IDisputes.Phase.Answer), "not answered");
        _observe(id);
    }

    function _source(Kind kind, uint256 k) internal pure returns (uint256) {
        return kind == Kind.NotFinite && k == 1 ? NAN : k;
    }

    /// @dev Unless the answer is complete already.
    /// @return sound Whether it must be accepted: it is the state that the result opened before, and finite as far as it is new.
    function _part(bytes32 id, Kind kind, uint256 k, uint256 s, uint256 chunk) internal returns (bool sound) {
        if (!_isAt(id, IDisputes.Phase.Answer)) return true;
        (bytes32 leaf, uint256 missing) = disputes.opened(_ghosts[id].digest, k);
        if (leaf == 0) missing = 3;
        sound = (leaf == 0 || leaf == _stateLeaf(k, s)) && (s != NAN || chunk == 0 || missing & 2 == 0);
        _send(id, kind, k, s, chunk);
        (, uint256 left) = disputes.opened(_ghosts[id].digest, k);
        if (sound) assertEq(left, missing & ~(chunk == 2 ? 3 : 1 << chunk), "chunks received");
    }

    // ------------------------------------------------------------------------------------------------------------------ judge

    /// @param mood What the jury plans: 0 guilty, 1 innocent, 2 split in halves, else as it comes.
    /// @param seed Odd: some stay away, cannot, or lie about the probe.
    function commit(uint256 which, uint256 mood, uint256 seed) public {
        bytes32 id = _pick(which, IDisputes.Phase.Seed, IDisputes.Phase.Jury);
        if (id == 0 || convictions[_ghosts[id].digest] != 0) return;
        if (disputes.seedOf(id) == 0 && _isAt(id, IDisputes.Phase.Seed)) _roll();
        if (block.timestamp >= disputes.dispute(id).deadline || staking.currentEpoch() > _ghosts[id].epoch + 4) return;
        uint256[2] memory sums;
        for (uint256 i; i < MINERS; ++i) {
            _commit(id, miners[i], mood % 4, uint256(keccak256(abi.encode(seed, i))), seed % 2 == 1, sums);
        }
        _observe(id);
    }

    function _commit(bytes32 id, address operator, uint256 mood, uint256 random, bool noise, uint256[2] memory sums)
        internal
    {
        uint256 round = disputes.dispute(id).round;
        Plan memory p = Plan(IDisputes.Verdict.Guilty, PROBE, bytes32(random), _expectedVotes(id, operator), false);
        assertEq(disputes.votesOf(id, operator), p.votes, "votes by the formula");
        if (_plans[id][round][operator].votes != 0 || (noise && random % 8 == 0)) return;
        if (mood == 1) p.verdict = IDisputes.Verdict.Innocent;
        if (mood == 2 && sums[0] > sums[1]) p.verdict = IDisputes.Verdict.Innocent;
        if (mood == 3) p.verdict = IDisputes.Verdict(1 + random / 8 % 3);
        if (noise && random % 8 == 1) p.verdict = IDisputes.Verdict.Unable;
        if (noise && random % 8 == 2) p.probe = PROBE + (random >> 8) % PROBE;
        sums[p.verdict == IDisputes.Verdict.Guilty ? 0 : 1] += p.votes;
        bytes32 commitment = Jury.commitment(id, round, operator, p.verdict, p.probe, p.salt);
        vm.prank(random / 64 % 2 == 0 ? operator : registry.nodeOf(operator));
        try disputes.commit(id, commitment) {
            assertNotEq(p.votes, 0, "who sits without a vote");
        } catch {
            assertEq(p.votes, 0, "who was drawn may sit");
            return;
        }
        _plans[id][round][operator] = p;
        Tally storage t = _tallies[id][round];
        t.committed += p.votes;
        ++t.operators;
    }

    /// @param seed Odd: some stay away.
    function reveal(uint256 which, uint256 seed) public {
        bytes32 id = _pick(which, IDisputes.Phase.Jury, IDisputes.Phase.Jury);
        if (id == 0 || _tallies[id][disputes.dispute(id).round].committed == 0) return;
        uint256 deadline = disputes.dispute(id).deadline;
        if (block.timestamp < deadline) vm.warp(deadline);
        if (block.timestamp >= _dueAt(id)) return;
        for (uint256 i; i < MINERS; ++i) {
            _reveal(id, miners[i], uint256(keccak256(abi.encode(seed, i))), seed % 2 == 1);
        }
        _observe(id);
    }

    function _reveal(bytes32 id, address operator, uint256 random, bool noise) internal {
        uint256 round = disputes.dispute(id).round;
        Plan storage p = _plans[id][round][operator];
        if (noise && random % 8 == 0) return;
        bool lies = noise && random % 8 == 1;
        vm.prank(operator);
        try disputes.reveal(id, p.verdict, lies ? p.probe + 1 : p.probe, p.salt) {
            assertTrue(p.votes != 0 && !p.revealed && !lies, "only what was committed, once");
        } catch {
            assertTrue(p.votes == 0 || p.revealed || lies, "what was committed is accepted");
            return;
        }
        p.revealed = true;
        if (p.verdict == IDisputes.Verdict.Unable) return;
        Tally storage t = _tallies[id][round];
        IDisputes.Vote memory v = disputes.vote(id, round, t.jurors++);
        assertTrue(v.operator == operator && v.votes == p.votes && v.probe == p.probe, "the vote as committed");
        if (v.verdict == IDisputes.Verdict.Guilty) t.guilty += v.votes;
        else t.innocent += v.votes;
    }

    /// @dev Everybody of a dispute that ended tries: who is entitled is paid, once.
    function claim(uint256 which, uint256 round) external {
        bytes32 id = _pick(which, IDisputes.Phase.Convicted, IDisputes.Phase.Drawn);
        if (id != 0) _claim(id, round % 3);
    }

    function _claim(bytes32 id, uint256 round) internal {
        IDisputes.Dispute memory d = disputes.dispute(id);
        for (uint256 i; i < _tallies[id][round].jurors; ++i) {
            IDisputes.Vote memory v = disputes.vote(id, round, i);
            uint256 due = _isPaid(d, round, v) ? uint256(d.payPerVote) * v.votes : 0;
            uint256 before = cai.balanceOf(v.operator);
            try disputes.claim(id, round, i) returns (uint256 amount) {
                assertEq(amount, due, "pay as reckoned");
                assertEq(cai.balanceOf(v.operator), before + amount, "to the juror");
                _ghosts[id].claimed += amount;
            } catch {
                assertEq(due, 0, "who is entitled is paid");
            }
        }
    }

    // -------------------------------------------------------------------------------------------------------------------- end

    /// @dev All that must happen between a challenge and its verdict, without anything in between.
    function judge(uint256 which, uint256 mood, uint256 seed) external {
        answer(which, 2);
        commit(which, mood, seed);
        reveal(which, seed);
        resolve(which, 0);
    }

    /// @param wait Even: until something is due; else now, or, 3 mod 4, when the next block is there.
    function resolve(uint256 which, uint256 wait) public {
        bytes32 id = _pick(which, IDisputes.Phase.Answer, IDisputes.Phase.Veto);
        if (id == 0) return;
        if (wait % 4 == 3) _roll();
        if (wait % 2 == 0 && block.timestamp < _dueAt(id)) vm.warp(_dueAt(id));
        _resolve(id);
    }

    /// @return done Whether anything was due.
    function _resolve(bytes32 id) internal returns (bool done) {
        IDisputes.Dispute memory d = disputes.dispute(id);
        (IDisputes.Phase phase, uint256 round) = _expected(id);
        bool wasClosed = convictions[d.result] != 0;
        bool due = phase != d.phase || round != d.round;
        Balances memory b = _balances(id);
        try disputes.resolve(id) {
            done = true;
        } catch {}
        assertEq(done, due, "resolve does what is due, and nothing else");
        d = disputes.dispute(id);
        assertEq(uint8(d.phase), uint8(phase), "where resolve leads");
        assertEq(d.round, round, "the round");
        if (done && phase >= IDisputes.Phase.Convicted) {
            if (wasClosed) ++closed;
            _ended(id, b);
        }
        _observe(id);
    }

    function veto(uint256 which) external {
        bytes32 id = _pick(which, IDisputes.Phase.Veto, IDisputes.Phase.Veto);
        if (id == 0 || block.timestamp >= disputes.dispute(id).deadline) return;
        Balances memory b = _balances(id);
        vm.prank(guardian);
        disputes.veto(id);
        assertTrue(_isAt(id, IDisputes.Phase.Drawn), "vetoed");
        ++vetoed;
        _ended(id, b);
        _observe(id);
    }

    /// @param how Seconds with a block or two, hours, until just before or at what is due next of some dispute, or epochs.
    function pass(uint256 how, uint256 time) external {
        bytes32 id = _pick(time, IDisputes.Phase.Answer, IDisputes.Phase.Veto);
        if (how % 8 < 3) {
            _roll();
            vm.warp(block.timestamp + time % 5 minutes);
        } else if (how % 8 < 5 && id != 0) {
            uint256 due = _dueAt(id) - how / 8 % 2;
            if (due > block.timestamp) vm.warp(due);
        } else if (how % 32 == 31) {
            vm.warp(block.timestamp + time % (2 * EPOCH));
            // Longer than a chain remembers.
            vm.roll(block.number + 300);
        } else {
            vm.warp(block.timestamp + time % 6 hours);
        }
    }

    // ---------------------------------------------------------------------------------------------------------- the end of a run

    /// @dev Nobody comes any more but whoever resolves, each dispute as soon as it can be: all end within their windows.
    function endAll() external {
        bool blocks = _nonce % 2 == 0;
        uint256 began = block.timestamp;
        for (uint256 calls; _pick(0, IDisputes.Phase.Answer, IDisputes.Phase.Veto) != 0; ++calls) {
            assertLt(calls, 1000, "disputes end");
            uint256 next = type(uint256).max;
            for (uint256 i; i < ids.length; ++i) {
                if (_isOver(ids[i])) continue;
                _resolve(ids[i]);
                if (_isOver(ids[i])) continue;
                assertLe(block.timestamp - began, _longest(_frozen[ids[i]]), "a dispute lasts too long");
                if (_dueAt(ids[i]) < next) next = _dueAt(ids[i]);
            }
            if (blocks && calls % 2 == 0) vm.roll(block.number + 2);
            else if (next != type(uint256).max && next > block.timestamp) vm.warp(next);
        }
    }

    function _longest(IDisputes.Parameters memory p) internal pure returns (uint256) {
        return
            uint256(p.answerWindow) + p.vetoWindow + (uint256(p.seedWindow) + p.commitWindow + p.revealWindow)
                * p.rounds;
    }

    /// @dev All jurors claim, all stakers leave, nobody is held back.
    function leaveAll() external {
        for (uint256 i; i < ids.length; ++i) {
            for (uint256 round; round < 3; ++round) {
                _claim(ids[i], round);
            }
        }
        _everybodyLeaves();
    }

    // ---------------------------------------------------------------------------------------------------------------- internal

    /// @dev The first dispute from `which` on that is in a phase between the two; zero if none is.
    function _pick(uint256 which, IDisputes.Phase first, IDisputes.Phase last) internal view returns (bytes32) {
        for (uint256 i; i < ids.length; ++i) {
            bytes32 id = ids[addmod(which, i, ids.length)];
            IDisputes.Phase phase = disputes.dispute(id).phase;
            if (phase >= first && phase <= last) return id;
        }
        return 0;
    }

    function _isAt(bytes32 id, IDisputes.Phase phase) internal view returns (bool) {
        return disputes.dispute(id).phase == phase;
    }

    function _isOver(bytes32 id) internal view returns (bool) {
        return disputes.dispute(id).phase >= IDisputes.Phase.Convicted;
    }
}
