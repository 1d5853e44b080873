// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DisputesTest, IDisputes, Jury} from "../../utils/DisputesTest.sol";

contract RevealTest is DisputesTest {
    bytes32 internal id;
    address internal juror;

    function setUp() public override {
        super.setUp();
        id = _juryOn(1);
        juror = jurors[7];
    }

    function _tryReveal(address who, bytes memory reason) internal {
        vm.expectRevert(reason);
        _reveal(id, who, IDisputes.Verdict.Guilty, PROBE);
    }

    function test_reveals() public {
        uint256 votes = disputes.votesOf(id, juror);
        assertGt(votes, 1);
        _commit(id, juror, IDisputes.Verdict.Guilty, PROBE);
        _commit(id, jurors[6], IDisputes.Verdict.Innocent, PROBE + 1);
        vm.warp(block.timestamp + COMMIT);
        vm.expectEmit(address(disputes));
        emit IDisputes.Revealed(id, 0, juror, 0, IDisputes.Verdict.Guilty, PROBE, votes, votes, 0, 1);
        _reveal(id, juror, IDisputes.Verdict.Guilty, PROBE);
        uint256 others = disputes.votesOf(id, jurors[6]);
        vm.expectEmit(address(disputes));
        emit IDisputes.Revealed(id, 0, jurors[6], 1, IDisputes.Verdict.Innocent, PROBE + 1, others, votes, others, 2);
        // By its node.
        _reveal(id, registry.nodeOf(jurors[6]), IDisputes.Verdict.Innocent, PROBE + 1);

        IDisputes.Vote memory v = disputes.vote(id, 0, 0);
        assertEq(v.operator, juror);
        assertEq(v.votes, votes);
        assertEq(v.probe, PROBE);
        assertEq(uint8(v.verdict), uint8(IDisputes.Verdict.Guilty));
        _tryReveal(juror, abi.encodeWithSelector(IDisputes.NotCommitted.selector, id, juror));
    }

    /// @notice A commitment names its juror: who copies another's cannot open it, not even when it has been opened before its eyes.
    function test_copiedCommitment() public {
        bytes32 commitment = _commitment(id, juror, IDisputes.Verdict.Guilty, PROBE);
        vm.prank(juror);
        disputes.commit(id, commitment);
        vm.prank(jurors[6]);
        disputes.commit(id, commitment);
        vm.warp(block.timestamp + COMMIT);
        _reveal(id, juror, IDisputes.Verdict.Guilty, PROBE);
        _tryReveal(jurors[6], abi.encodeWithSelector(IDisputes.CommitmentMismatch.selector, id, jurors[6]));
    }

    /// @notice Every part of what was committed to binds, and the round, too.
    function test_commitmentsBind() public {
        _commit(id, juror, IDisputes.Verdict.Guilty, PROBE);
        vm.warp(block.timestamp + COMMIT);
        bytes memory reason = abi.encodeWithSelector(IDisputes.CommitmentMismatch.selector, id, juror);
        vm.expectRevert(reason);
        _reveal(id, juror, IDisputes.Verdict.Innocent, PROBE);
        vm.expectRevert(reason);
        _reveal(id, juror, IDisputes.Verdict.Guilty, PROBE + 1);
        vm.expectRevert(reason);
        vm.prank(juror);
        disputes.reveal(id, IDisputes.Verdict.Guilty, PROBE, "pepper");
        vm.prank(juror);
        vm.expectRevert(IDisputes.InvalidVerdict.selector);
        disputes.reveal(id, IDisputes.Verdict.None, PROBE, "salt");
    }

    function test_aCommitmentIsForOneRound() public {
        _commit(id, juror, IDisputes.Verdict.Guilty, PROBE);
        bytes32 old = _commitment(id, juror, IDisputes.Verdict.Guilty, PROBE);
        vm.warp(block.timestamp + COMMIT + REVEAL);
        disputes.resolve(id);
        assertEq(disputes.dispute(id).round, 1);
        _callJury(id);
        vm.warp(block.timestamp + COMMIT);
        _tryReveal(juror, abi.encodeWithSelector(IDisputes.NotCommitted.selector, id, juror));
        vm.warp(block.timestamp - COMMIT);
        vm.prank(juror);
        disputes.commit(id, old);
        vm.warp(block.timestamp + COMMIT);
        _tryReveal(juror, abi.encodeWithSelector(IDisputes.CommitmentMismatch.selector, id, juror));
    }

    function test_onlyInItsWindow() public {
        _commit(id, juror, IDisputes.Verdict.Guilty, PROBE);
        uint256 from = block.timestamp + COMMIT;
        vm.warp(from - 1);
        _tryReveal(juror, abi.encodeWithSelector(IDisputes.NothingDue.selector, id, IDisputes.Phase.Jury, from));
        vm.warp(from + REVEAL);
        _tryReveal(juror, abi.encodeWithSelector(IDisputes.DeadlinePassed.selector, id, from + REVEAL));
        vm.warp(from + REVEAL - 1);
        _reveal(id, juror, IDisputes.Verdict.Guilty, PROBE);
    }

    /// @notice Votes that come after the verdict change nothing: not even in the window that a later deadline would open.
    function test_notOnceTheJuryIsDone() public {
        for (uint256 i; i < JURORS; ++i) {
            if (disputes.votesOf(id, jurors[i]) != 0) _commit(id, jurors[i], IDisputes.Verdict.Guilty, PROBE);
        }
        vm.warp(block.timestamp + COMMIT);
        for (uint256 i; i < JURORS; ++i) {
            if (jurors[i] == juror || disputes.votesOf(id, jurors[i]) == 0) continue;
            _reveal(id, jurors[i], IDisputes.Verdict.Guilty, PROBE);
        }
        vm.warp(block.timestamp + REVEAL);
        disputes.resolve(id);
        _assertPhase(id, IDisputes.Phase.Veto);
        vm.warp(block.timestamp + VETO);
        _tryReveal(juror, abi.encodeWithSelector(IDisputes.WrongPhase.selector, id, IDisputes.Phase.Veto));
    }

    function test_strangers() public {
        vm.warp(block.timestamp + COMMIT);
        _tryReveal(carol, abi.encodeWithSelector(IDisputes.NotCommitted.selector, id, carol));
    }

    /// @notice Unable is legal, and counts for nothing.
    function test_unable() public {
        uint256 votes = disputes.votesOf(id, juror);
        _commit(id, juror, IDisputes.Verdict.Unable, 0);
        vm.warp(block.timestamp + COMMIT);
        vm.expectEmit(address(disputes));
        emit IDisputes.Revealed(id, 0, juror, 0, IDisputes.Verdict.Unable, 0, votes, 0, 0, 0);
        _reveal(id, juror, IDisputes.Verdict.Unable, 0);
        assertEq(disputes.dispute(id).jurors, 0);
        vm.expectRevert();
        disputes.vote(id, 0, 0);
        _tryReveal(juror, abi.encodeWithSelector(IDisputes.NotCommitted.selector, id, juror));
    }

    /// @notice A probe beyond 2^80 counts as 2^80 - 1: the vote is not lost.
    function test_hugeProbes() public {
        _commit(id, juror, IDisputes.Verdict.Guilty, 1 << 80);
        _commit(id, jurors[6], IDisputes.Verdict.Guilty, type(uint256).max);
        vm.warp(block.timestamp + COMMIT);
        _reveal(id, juror, IDisputes.Verdict.Guilty, 1 << 80);
        _reveal(id, jurors[6], IDisputes.Verdict.Guilty, type(uint256).max);
        assertEq(disputes.vote(id, 0, 0).probe, type(uint80).max);
        assertEq(disputes.vote(id, 0, 1).probe, type(uint80).max);
    }
}
