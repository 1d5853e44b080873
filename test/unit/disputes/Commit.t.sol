// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DisputesTest, IDisputes, IStaking, Jury, Role} from "../../utils/DisputesTest.sol";

contract CommitTest is DisputesTest {
    bytes32 internal id;

    function setUp() public override {
        super.setUp();
        id = _challenge(1);
        _answer(id);
    }

    /// @dev A juror with votes in the round.
    function _drawn() internal view returns (address) {
        for (uint256 i; i < JURORS; ++i) {
            if (disputes.votesOf(id, jurors[i]) != 0) return jurors[i];
        }
        revert("nobody drawn");
    }

    function _tryCommit(address who, bytes memory reason) internal {
        vm.expectRevert(reason);
        vm.prank(who);
        disputes.commit(id, "commitment");
    }

    function test_commits() public {
        _callJury(id);
        address juror = _drawn();
        uint256 votes = disputes.votesOf(id, juror);
        vm.expectEmit(address(disputes));
        emit IDisputes.Committed(id, 0, juror, votes, "commitment");
        vm.prank(juror);
        disputes.commit(id, "commitment");
        _tryCommit(juror, abi.encodeWithSelector(IDisputes.AlreadyCommitted.selector, id, juror));
        // Its node is the same juror.
        _tryCommit(registry.nodeOf(juror), abi.encodeWithSelector(IDisputes.AlreadyCommitted.selector, id, juror));
    }

    function test_byItsNode() public {
        _callJury(id);
        address juror = _drawn();
        address node = registry.nodeOf(juror);
        (address next, uint256 key) = makeAddrAndKey("next");
        bytes memory consent = _consent(juror, next, key);
        vm.prank(juror);
        registry.setNode(next, consent);
        // A stolen key that was replaced has no vote.
        _tryCommit(node, abi.encodeWithSelector(IDisputes.NotDrawn.selector, id, node));
        vm.prank(next);
        disputes.commit(id, "commitment");
    }

    /// @notice The first commitment calls the jury if nobody did.
    function test_callsTheJury() public {
        vm.roll(block.number + 2);
        uint256 commitUntil = block.timestamp + COMMIT;
        address juror = _drawn();
        vm.expectEmit(address(disputes));
        emit IDisputes.JuryCalled(id, 0, disputes.seedOf(id), commitUntil, commitUntil + REVEAL);
        vm.prank(juror);
        disputes.commit(id, "commitment");
        assertEq(disputes.dispute(id).deadline, commitUntil);
    }

    function test_notBeforeTheSeedIsKnown() public {
        assertEq(disputes.seedOf(id), 0);
        assertEq(disputes.votesOf(id, jurors[7]), 0);
        _tryCommit(jurors[7], abi.encodeWithSelector(IDisputes.WrongPhase.selector, id, IDisputes.Phase.Seed));
    }

    function test_notAfterTheWindow() public {
        _callJury(id);
        address juror = _drawn();
        uint256 deadline = block.timestamp + COMMIT;
        vm.warp(deadline);
        _tryCommit(juror, abi.encodeWithSelector(IDisputes.DeadlinePassed.selector, id, deadline));
        vm.warp(deadline - 1);
        vm.prank(juror);
        disputes.commit(id, "commitment");
    }

    function test_notNothing() public {
        _callJury(id);
        address juror = _drawn();
        vm.prank(juror);
        vm.expectRevert(IDisputes.ZeroCommitment.selector);
        disputes.commit(id, 0);
    }

    function test_accusedAndChallengerDoNotSit() public {
        _callJury(id);
        assertEq(disputes.votesOf(id, miner), 0);
        _tryCommit(miner, abi.encodeWithSelector(IDisputes.Involved.selector, miner));
        _tryCommit(minerNode, abi.encodeWithSelector(IDisputes.Involved.selector, miner));
        // A miner that challenges.
        _give(jurors[7], address(disputes), BOND + FEE);
        id = _challenge(jurors[7], 2, _noTile());
        _answerState(id, 2);
        _callJury(id);
        assertEq(disputes.votesOf(id, jurors[7]), 0);
        _tryCommit(jurors[7], abi.encodeWithSelector(IDisputes.Involved.selector, jurors[7]));
    }

    function test_coordinatorsAndStrangersDoNotSit() public {
        _callJury(id);
        assertGt(staking.weightOf(coordinator), 0);
        assertEq(disputes.votesOf(id, coordinator), 0);
        _tryCommit(coordinator, abi.encodeWithSelector(IDisputes.NotDrawn.selector, id, coordinator));
        _tryCommit(carol, abi.encodeWithSelector(IDisputes.NotDrawn.selector, id, carol));
    }

    function test_noWeightNowNoVote() public {
        _callJury(id);
        address juror = _drawn();
        uint256 epoch = staking.currentEpoch();
        vm.prank(slasher);
        staking.slash(juror, 0.01e18, epoch, 1 days, address(0), 0);
        assertEq(disputes.votesOf(id, juror), 0, "jailed");
        _tryCommit(juror, abi.encodeWithSelector(IDisputes.NotDrawn.selector, id, juror));
    }

    /// @notice Stake that is moved after the challenge, or after the seed, moves no vote: votes go by the epoch before.
    function test_stakeMovedAfterTheSeed() public {
        _callJury(id);
        uint256[] memory before = new uint256[](JURORS);
        for (uint256 i; i < JURORS; ++i) {
            before[i] = disputes.votesOf(id, jurors[i]);
        }
        _delegate(jurors[0], jurors[0], 10_000_000e18);
        _undelegate(jurors[7], jurors[7], 40_000e18 * FIRST);
        address late = _addMiner("late", 10_000_000e18);
        for (uint256 i; i < JURORS; ++i) {
            assertEq(disputes.votesOf(id, jurors[i]), before[i]);
        }
        assertEq(disputes.votesOf(id, late), 0);
    }

    /// @notice Stake that came in the epoch before the challenge, and so counts now, gives no votes; what went since takes none.
    function test_stakeMovedBeforeTheChallenge() public {
        _nextEpoch(1);
        _delegate(jurors[0], jurors[0], 10_000_000e18);
        _undelegate(jurors[7], jurors[7], 40_000e18 * FIRST);
        _nextEpoch(1);
        _signReceipt();
        id = _challenge(2);
        _answer(id);
        _callJury(id);
        assertGt(staking.weightAt(jurors[0], staking.currentEpoch()), 10_000_000e18);
        assertLt(disputes.votesOf(id, jurors[0]), 4);
        // Of 410,000 in all.
        assertGe(disputes.votesOf(id, jurors[7]), 16 * 65_000 / uint256(410_000));
        _assertFormula();
        // Rounds of later epochs go by the same.
        _nextEpoch(1);
        _assertFormula();
    }

    /// @notice Votes are those of the formula, with the weights of the start of the epoch before the challenge.
    function test_votesAreTheFormulas() public {
        _callJury(id);
        _assertFormula();
    }

    function _assertFormula() internal view {
        uint256 epoch = disputes.dispute(id).epoch - 1;
        uint256 total = staking.totalWeightAt(Role.Miner, epoch);
        bytes32 beacon = randomness.seed(disputes.dispute(id).beacon);
        bytes32 seed = keccak256(abi.encode(beacon, id, uint256(0)));
        assertEq(disputes.seedOf(id), seed);
        for (uint256 i; i < JURORS; ++i) {
            uint256 share = 16 * staking.weightAt(jurors[i], epoch);
            uint256 expected = share / total;
            if (uint256(keccak256(abi.encode(seed, jurors[i]))) % total < share % total) ++expected;
            assertEq(disputes.votesOf(id, jurors[i]), expected);
            assertGt(expected, 0, "a share of at least one vote");
        }
    }

    /// @notice In a network whose miners have all left nobody votes, and the dispute still ends.
    function test_noWeightAtAll() public {
        // The challenge was two epochs after everybody retired.
        vm.prank(miner);
        registry.retire();
        for (uint256 i; i < JURORS; ++i) {
            vm.prank(jurors[i]);
            registry.retire();
        }
        _nextEpoch(2);
        _signReceipt();
        id = _challenge(2);
        _answer(id);
        assertEq(staking.totalWeightAt(Role.Miner, disputes.dispute(id).epoch - 1), 0);
        for (uint256 round; round < 3; ++round) {
            _callJury(id);
            _tryCommit(jurors[7], abi.encodeWithSelector(IDisputes.NotDrawn.selector, id, jurors[7]));
            vm.warp(block.timestamp + COMMIT + REVEAL);
            disputes.resolve(id);
        }
        _assertPhase(id, IDisputes.Phase.Drawn);
    }

    function test_notInOtherPhases() public {
        _callJury(id);
        _vote(id, IDisputes.Verdict.Guilty);
        disputes.resolve(id);
        _tryCommit(jurors[7], abi.encodeWithSelector(IDisputes.WrongPhase.selector, id, IDisputes.Phase.Veto));
    }
}
