// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DisputesTest, IDisputes, IStaking} from "../../utils/DisputesTest.sol";

/// @dev Anything in any order, at any time: whatever was done, `resolve` alone ends every dispute, no hold stays, and the contract holds to the
/// wei what open disputes put in and ended ones still owe.
contract MachineTest is DisputesTest {
    bytes32[] internal ids;
    /// Of every vote that was opened: dispute, round, index.
    uint256[3][] internal opened;
    uint256 internal random;

    function _next(uint256 below) internal returns (uint256) {
        random = uint256(keccak256(abi.encode(random)));
        return (random >> 16) % below;
    }

    function _act() internal {
        bytes32 id = ids[_next(ids.length)];
        IDisputes.Dispute memory d = disputes.dispute(id);
        uint256 what = _next(10);
        if (what == 0) vm.warp(block.timestamp + _next(4 hours));
        if (what == 1) vm.roll(block.number + _next(4));
        if (what == 2) try disputes.resolve(id) {} catch {}
        if (what == 3 && d.phase == IDisputes.Phase.Answer) _answerSome(id);
        if (what >= 4 && what <= 6) _commitSome(id);
        if (what == 7 || what == 8) _revealSome(id);
        if (what == 9 && _next(8) == 0) {
            vm.prank(guardian);
            try disputes.veto(id) {} catch {}
        }
        // Staking has its own troubles.
        if (what == 9 && _next(8) == 0) {
            address juror = jurors[_next(JURORS)];
            _slash(juror, 0.1e18);
        }
    }

    function _answerSome(bytes32 id) internal {
        uint256 k = _next(3);
        IDisputes.Chunk[] memory chunks = _chunksOf(states[k]);
        try disputes.answer(id, _opening(k), _next(2) == 0 ? chunks : _one(chunks[_next(chunks.length)])) {} catch {}
    }

    /// @dev All of them, or nearly; what each says follows from dispute, round and juror, so that it can be opened again.
    function _commitSome(bytes32 id) internal {
        for (uint256 i; i < JURORS; ++i) {
            if (_next(8) == 0) continue;
            bytes32 commitment = _commitment(id, jurors[i], _verdict(id, i), PROBE);
            vm.prank(jurors[i]);
            try disputes.commit(id, commitment) {} catch {}
        }
    }

    function _revealSome(bytes32 id) internal {
        IDisputes.Dispute memory d = disputes.dispute(id);
        if (d.phase != IDisputes.Phase.Jury) return;
        if (block.timestamp < d.deadline && _next(2) == 0) vm.warp(d.deadline);
        for (uint256 i; i < JURORS; ++i) {
            uint256 index = _index(id, d.round);
            vm.prank(jurors[i]);
            try disputes.reveal(id, _verdict(id, i), PROBE, "salt") {
                if (_verdict(id, i) != IDisputes.Verdict.Unable) opened.push([uint256(id), d.round, index]);
            } catch {}
        }
    }

    function _index(bytes32 id, uint256 round) internal view returns (uint256 count) {
        for (uint256 i; i < opened.length; ++i) {
            if (opened[i][0] == uint256(id) && opened[i][1] == round) ++count;
        }
    }

    function _verdict(bytes32 id, uint256 juror) internal view returns (IDisputes.Verdict) {
        uint256 bits = uint256(keccak256(abi.encode(id, disputes.dispute(id).round)));
        uint256 lean = 1 + bits % 2;
        uint256 own = uint256(keccak256(abi.encode(bits, juror))) % 12;
        return IDisputes.Verdict(own < 9 ? lean : own < 11 ? 3 - lean : 3);
    }

    /// @dev held = sum of bond and fee of what is open + votes that are entitled and unpaid
    function _assertSolvent() internal view {
        uint256 due;
        for (uint256 i; i < ids.length; ++i) {
            if (disputes.dispute(ids[i]).phase < IDisputes.Phase.Convicted) due += BOND + FEE;
        }
        for (uint256 i; i < opened.length; ++i) {
            bytes32 id = bytes32(opened[i][0]);
            IDisputes.Dispute memory d = disputes.dispute(id);
            IDisputes.Vote memory v = disputes.vote(id, opened[i][1], opened[i][2]);
            bool entitled = d.phase == IDisputes.Phase.Drawn
                || (d.phase == IDisputes.Phase.Convicted && v.verdict == IDisputes.Verdict.Guilty)
                || (d.phase == IDisputes.Phase.Acquitted && v.verdict == IDisputes.Verdict.Innocent);
            if (entitled) due += uint256(d.payPerVote) * v.votes;
        }
        assertEq(cai.balanceOf(address(disputes)), due, "held = due");
    }

    /// forge-config: default.fuzz.runs = 48
    function testFuzz_endsWhateverHappens(uint256 seed) public {
        random = seed;
        uint256 epoch = staking.currentEpoch();
        for (uint256 k; k < 4; ++k) {
            ids.push(_challenge(k));
        }
        for (uint256 i; i < 60; ++i) {
            _act();
            if (i % 10 == 9) _assertSolvent();
        }
        uint256 convictions;
        for (uint256 i; i < ids.length; ++i) {
            for (uint256 calls; disputes.dispute(ids[i]).phase < IDisputes.Phase.Convicted; ++calls) {
                assertLt(calls, 10, "ends");
                vm.warp(block.timestamp + 6 hours);
                disputes.resolve(ids[i]);
            }
            if (disputes.dispute(ids[i]).phase == IDisputes.Phase.Convicted) ++convictions;
            vm.expectRevert();
            disputes.resolve(ids[i]);
        }
        assertLe(convictions, 1, "a result is convicted once");
        assertEq(disputes.convicted(digest), convictions == 1);
        assertEq(staking.assetsOf(miner, miner), OWN - convictions * OWN / 10, "slashed once");
        _assertSolvent();
        for (uint256 i; i < opened.length; ++i) {
            try disputes.claim(bytes32(opened[i][0]), opened[i][1], opened[i][2]) {} catch {}
        }
        assertEq(cai.balanceOf(address(disputes)), 0, "nothing stays");
        vm.prank(address(disputes));
        vm.expectRevert(abi.encodeWithSelector(IStaking.NotHeld.selector, miner, epoch, 0, 1));
        staking.release(miner, 1, epoch);
    }
}
