// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {IDisputes} from "../../contracts/interfaces/IDisputes.sol";
import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {ICAI} from "../utils/BaseTest.sol";
import {DisputesHandler} from "./DisputesHandler.sol";

contract DisputesInvariants is Test {
    DisputesHandler internal handler;
    IDisputes internal disputes;
    IStaking internal staking;
    ICAI internal cai;

    function setUp() public {
        handler = new DisputesHandler();
        handler.setUp();
        (address a, address b, address c) = handler.contracts();
        (disputes, staking, cai) = (IDisputes(a), IStaking(b), ICAI(c));
        // What must come often to lead anywhere is there more than once.
        bytes4[33] memory verbs = [
            handler.challenge.selector,
            handler.challenge.selector,
            handler.challenge.selector,
            handler.challenge.selector,
            handler.answer.selector,
            handler.answer.selector,
            handler.answer.selector,
            handler.commit.selector,
            handler.commit.selector,
            handler.commit.selector,
            handler.reveal.selector,
            handler.reveal.selector,
            handler.resolve.selector,
            handler.resolve.selector,
            handler.resolve.selector,
            handler.resolve.selector,
            handler.judge.selector,
            handler.judge.selector,
            handler.judge.selector,
            handler.veto.selector,
            handler.claim.selector,
            handler.claim.selector,
            handler.pass.selector,
            handler.delegate.selector,
            handler.undelegate.selector,
            handler.withdraw.selector,
            handler.cancel.selector,
            handler.slash.selector,
            handler.unjail.selector,
            handler.retire.selector,
            handler.setNode.selector,
            handler.setParameters.selector,
            handler.setModel.selector
        ];
        bytes4[] memory selectors = new bytes4[](34);
        for (uint256 i; i < 33; ++i) {
            selectors[i] = verbs[i];
        }
        selectors[33] = handler.pause.selector;
        targetSelector(FuzzSelector({addr: address(handler), selectors: selectors}));
        targetContract(address(handler));
    }

    // -------------------------------------------------------------------------------------------------------------- invariants

    /// One campaign for all of them: each name of its own would only repeat the same calls.
    function invariant_disputes() public {
        _money();
        _supply();
        for (uint256 i; i < handler.count(); ++i) {
            bytes32 id = handler.ids(i);
            (DisputesHandler.Ghost memory g, IDisputes.Parameters memory p) = handler.ghost(id);
            IDisputes.Dispute memory d = disputes.dispute(id);
            assertEq(keccak256(abi.encode(d)), g.seen, "another dispute moved");
            _parameters(d, g);
            _convictedOnce(d, g);
            assertLe(g.claimed, g.toJurors, "claimed more than was set aside");
            assertLe(g.toJurors, p.juryFee, "set aside more than the fee");
            _votes(id, d);
            _held(g);
        }
        assertLe(2 * handler.paidOut(), handler.ownLost() + 9 * handler.count(), "slashes paid more than half");
    }

    /// What Disputes holds is, to the wei, the deposits of open disputes and what jurors have not claimed.
    function _money() internal view {
        uint256 due;
        for (uint256 i; i < handler.count(); ++i) {
            bytes32 id = handler.ids(i);
            (DisputesHandler.Ghost memory g, IDisputes.Parameters memory p) = handler.ghost(id);
            if (_isOpen(id)) due += uint256(p.bond) + p.juryFee;
            else due += g.toJurors - g.claimed;
        }
        assertEq(cai.balanceOf(address(disputes)), due, "held = deposits + unclaimed pay");
    }

    function _supply() internal view {
        assertEq(cai.totalSupply() + handler.burned(), cai.INITIAL_SUPPLY(), "burned = slashed - paid");
    }

    function _isOpen(bytes32 id) internal view returns (bool) {
        return disputes.dispute(id).phase < IDisputes.Phase.Convicted;
    }

    /// A dispute is played to its end by the parameters that it opened with.
    function _parameters(IDisputes.Dispute memory d, DisputesHandler.Ghost memory g) internal view {
        assertEq(d.version, g.version, "another version");
        assertEq(keccak256(abi.encode(disputes.parameters(d.version))), g.parameters, "parameters changed");
    }

    function _convictedOnce(IDisputes.Dispute memory d, DisputesHandler.Ghost memory g) internal view {
        uint256 convictions = handler.convictions(g.digest);
        assertLe(convictions, 1, "a result is convicted once");
        assertEq(disputes.convicted(g.digest), convictions == 1, "convicted");
        bool guilty = d.phase == IDisputes.Phase.Veto || d.phase == IDisputes.Phase.Convicted;
        if (guilty) assertTrue(d.fault != IDisputes.Fault.None, "guilty of something");
    }

    /// Nobody involved sits; nobody has more votes than the formula gives, in sum at most k and one for each operator.
    function _votes(bytes32 id, IDisputes.Dispute memory d) internal view {
        DisputesHandler.Tally memory t = handler.tally(id, d.round);
        assertLe(t.committed, (16 << d.round) + t.operators, "more votes than there are");
        for (uint256 i; i < t.jurors; ++i) {
            IDisputes.Vote memory v = disputes.vote(id, d.round, i);
            assertTrue(v.operator != d.accused && v.operator != d.challenger, "somebody involved sat");
            uint256 votes = handler.plan(id, d.round, v.operator).votes;
            assertTrue(v.votes == votes || (v.votes == 0 && !_isOpen(id)), "votes that were not committed");
        }
    }

    /// What Disputes holds of an operator on Staking is the sum of its open disputes' fractions. A hold that expired binds nothing.
    function _held(DisputesHandler.Ghost memory g) internal {
        if (staking.currentEpoch() > g.epoch + 4) return;
        uint256 sum;
        for (uint256 i; i < handler.count(); ++i) {
            bytes32 id = handler.ids(i);
            (DisputesHandler.Ghost memory other, IDisputes.Parameters memory p) = handler.ghost(id);
            if (other.accused == g.accused && other.epoch == g.epoch && _isOpen(id)) sum += p.fraction;
        }
        assertEq(handler.heldSince(g.accused, g.epoch), sum, "held = sum of open disputes");
    }

    /// Every dispute ends within its windows though nobody comes, nothing of it stays behind, and everybody can leave.
    function afterInvariant() public {
        handler.endAll();
        for (uint256 i; i < handler.count(); ++i) {
            assertFalse(_isOpen(handler.ids(i)), "a dispute without an end");
        }
        invariant_disputes();
        handler.leaveAll();
        assertEq(cai.balanceOf(address(disputes)), 0, "all was paid out");
    }

    // ------------------------------------------------------------------------------------------------- what the handler reaches

    IDisputes.Phase internal constant CONVICTED = IDisputes.Phase.Convicted;

    function _challenge(uint256 accused, uint256 kind, uint256 transition) internal returns (uint256 which) {
        which = handler.count();
        handler.challenge(accused, 0, kind, 0, transition);
        assertEq(handler.count(), which + 1, "opened");
    }

    /// @dev Answered in full, all that are drawn vote by `mood`.
    function _judge(uint256 which, uint256 mood) internal {
        handler.answer(which, 2);
        handler.commit(which, mood, 2);
        handler.reveal(which, 2);
        handler.resolve(which, 0);
    }

    function _assertOutcome(IDisputes.Phase outcome, IDisputes.Fault fault, uint256 times) internal {
        assertEq(handler.outcomes(outcome, fault), times);
        invariant_disputes();
    }

    /// @notice So that the invariants are not vacuous: one sequence of the handler's own actions leads to every outcome.
    function test_reachesEveryOutcome() public {
        // Juries: innocent, vetoed, split three times; guilty, and with it another dispute of the result.
        _judge(_challenge(0, 0, 2), 1);
        _assertOutcome(IDisputes.Phase.Acquitted, IDisputes.Fault.None, 1);
        uint256 which = _challenge(0, 0, 3);
        _judge(which, 0);
        handler.veto(which);
        assertEq(handler.vetoed(), 1);
        _assertOutcome(IDisputes.Phase.Drawn, IDisputes.Fault.Transition, 1);
        which = _challenge(1, 0, 0);
        for (uint256 round; round < 3; ++round) {
            _judge(which, 2);
        }
        assertEq(handler.escalated(), 2);
        _assertOutcome(IDisputes.Phase.Drawn, IDisputes.Fault.None, 1);
        which = _challenge(3, 0, 0);
        handler.challenge(3, 1, 0, 3 * which + 1, 3);
        assertEq(handler.count(), which + 2, "another transition");
        _judge(which, 0);
        handler.resolve(which, 0);
        _assertOutcome(CONVICTED, IDisputes.Fault.Transition, 1);
        handler.resolve(which + 1, 1);
        assertEq(handler.closed(), 1);

        // No answer. A voter that left before takes out what the dispute leaves free, and loses its part of the rest.
        handler.undelegate(0, 1, 0);
        vm.warp(block.timestamp + 2 days);
        which = _challenge(0, 0, 1);
        handler.answer(which, 0);
        handler.withdraw(0, 0);
        assertEq(handler.drawnEarly(), 1);
        handler.resolve(which, 0);
        handler.resolve(which, 0);
        _assertOutcome(CONVICTED, IDisputes.Fault.NoAnswer, 1);

        // Structure: `states` at once, a number that is none by its answer.
        which = _challenge(1, 2, 0);
        handler.resolve(which, 0);
        which = _challenge(2, 1, 2);
        handler.answer(which, 2);
        handler.resolve(which, 0);
        _assertOutcome(CONVICTED, IDisputes.Fault.Structure, 2);

        for (uint256 i; i < handler.count(); ++i) {
            handler.claim(i, 0);
        }
        afterInvariant();
    }
}
