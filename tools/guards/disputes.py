"""Challenges, answers, juries, and the keys that sign."""

from mutation.removal import Edit, Guard

FROZEN = "SetParametersTest.test_parametersChangedUnderAnOpenDispute"

GUARDS = [
    # ------------------------------------------------------------------------------------------------- parameters, rolling challenges
    Guard(
        FROZEN,
        "a dispute's phases are those of the parameters that it opened with",
        Edit("Disputes.sol:_step", "_parameters[d.version]", "_parameters[currentVersion()]"),
    ),
    Guard(
        FROZEN,
        "a dispute's slash and payments are those of the parameters that it opened with",
        Edit("Disputes.sol:_end", "_parameters[d.version]", "_parameters[currentVersion()]"),
    ),
    Guard(
        FROZEN,
        "a dispute's jurors have as long to reveal as was said when it opened",
        Edit("Disputes.sol:reveal", "_parameters[d.version]", "_parameters[currentVersion()]"),
    ),
    Guard(
        FROZEN,
        "a dispute that was answered waits for its seed as long as was said when it opened",
        Edit("Disputes.sol:answer", "_parameters[d.version].seedWindow", "_parameters[currentVersion()].seedWindow"),
    ),
    Guard(
        "SetParametersTest.test_ownerOnly",
        "nobody but the timelock sets parameters",
        Edit("DisputesAdmin.sol:setParameters", "onlyOwner", ""),
    ),
    Guard(
        "ResolveTest.test_rollingChallenges",
        "a challenge of an honest result costs its bond",
        Edit("Disputes.sol:_end", "if (outcome == Phase.Acquitted) (toChallenger, toAccused) = (0, toChallenger);", ""),
    ),
    Guard(
        "ResolveTest.test_rollingChallenges",
        "a result is not challenged for ever",
        Edit("Disputes.sol:_requireInTime", "if (block.timestamp > limit) revert ChallengeTooLate(limit);", ""),
    ),
    Guard(
        "ChallengeTest.test_puppetCannotBurnFinish",
        "a dispute about a tile is known by it: an accomplice's about another tile does not use it up",
        Edit(
            "Disputes.sol:_requireUnknown",
            "abi.encode(address(this), digest, transition, leaf)",
            "abi.encode(address(this), digest, transition)",
        ),
    ),
    # ------------------------------------------------------------------------------------------------------------- what is opened
    Guard(
        "ChallengeTest.test_wrongStatesIsGuiltyAtOnce",
        "a result of another number of states than was asked for is guilty",
        Edit("Disputes.sol:challenge", "if (result.states != r.states) _accuse(id, d, p, Fault.Structure);", ""),
    ),
    Guard(
        "ChallengeTest.test_noStatesIsAWrongNumber",
        "a result of fewer states than were asked for is guilty, of none as well",
        Edit("Disputes.sol:challenge", "result.states != r.states", "result.states > r.states"),
    ),
    Guard(
        "AnswerTest.test_numbersThatAreNotFinite",
        "a state with a NaN or an infinity in it is guilty",
        Edit("Disputes.sol:_receive", "finite = o.part == BLOB || Evidence.isFinite(c.data);", ""),
    ),
    Guard(
        "AnswerTest.test_initWantsTheBlobToo",
        "a blob is the user's: no NaN in it convicts a miner",
        Edit("Disputes.sol:_receive", "o.part == BLOB || Evidence.isFinite(c.data)", "Evidence.isFinite(c.data)"),
    ),
    Guard(
        "RevealTest.test_hugeProbes",
        "a probe too large for its place is cut to the largest, not to its last bits",
        Edit("Disputes.sol:reveal", "if (probe > type(uint80).max) probe = type(uint80).max;", ""),
    ),
    Guard(
        "AnswerTest.test_twoStatesUnderOneIndex",
        "a leaf's place says on which side each sibling is",
        Edit(
            "libraries/Evidence.sol:requireProof",
            "at & 1 == 0 ? Hashes.efficientKeccak256(node, sibling) : Hashes.efficientKeccak256(sibling, node)",
            "Hashes.commutativeKeccak256(node, sibling)",
        ),
    ),
    # -------------------------------------------------------------------------------------------------------------------- juries
    Guard(
        "ResolveTest.test_noBeacon",
        "a beacon that comes late does not count: nobody chooses, knowing it, whether it does",
        Edit("Disputes.sol:_step", "if (block.timestamp >= deadline) return _failRound(id, d, p);", ""),
    ),
    Guard(
        "CommitTest.test_stakeMovedAfterTheSeed",
        "votes go by weights of the past, not of now",
        Edit("Disputes.sol:votesOf", "staking.weightAt(operator, epoch)", "staking.weightOf(operator)"),
    ),
    Guard(
        "CommitTest.test_stakeMovedBeforeTheChallenge",
        "votes go by weights of the epoch before the challenge's",
        Edit("Disputes.sol:votesOf", "d.epoch - 1", "d.epoch"),
    ),
    Guard(
        "RevealTest.test_copiedCommitment",
        "a commitment names its juror: a copy of it opens for nobody else",
        Edit("libraries/Jury.sol:commitment", "bytes32(uint256(uint160(operator)))", "bytes32(0)"),
    ),
    Guard(
        "RevealTest.test_aCommitmentIsForOneRound",
        "a commitment names its round: what was revealed in one is not used in the next",
        Edit("libraries/Jury.sol:commitment", "bytes32(round)", "bytes32(0)"),
    ),
    Guard(
        "RevealTest.test_commitmentsBind",
        "a juror reveals what it committed to before it saw others",
        Edit(
            "Disputes.sol:reveal",
            "_withVotes(Jury.commitment(id, round, operator, verdict, probe, salt), count) != committed",
            "false",
        ),
    ),
    # ----------------------------------------------------------------------------------------------------------------- node keys
    Guard(
        "SetNodeTest.test_revertsOnAnothersNode",
        "a key that signs for one operator never signs for another, though it agrees",
        Edit("Registry.sol:_requireConsent", "if (owner != address(0) && owner != operator) revert NodeTaken(node, owner);", ""),
    ),
    Guard(
        "RegisterTest.test_aNodeBelongsToOneOperatorForEver",
        "a key that signed for one operator never signs for another, though it was replaced",
        Edit(
            "Registry.sol:_requireConsent",
            "owner != address(0) && owner != operator",
            "owner != address(0) && owner != operator && _nodes[node].retiredAt == 0",
        ),
    ),
    Guard(
        "RegisterTest.test_revertsWithoutTheNodesConsent",
        "nobody squats a key: it signs that it agrees",
        Edit("Registry.sol:_requireConsent", "if (signer != node) revert InvalidConsent(operator, node);", ""),
    ),
]
