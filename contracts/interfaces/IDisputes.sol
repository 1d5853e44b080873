// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Offer, Result} from "./Messages.sol";

/// @title How a faked result is punished.
/// @notice Whoever holds a receipt challenges one transition of its computation; the accused opens that transition on chain; miners drawn by
/// weight re-run it and vote; a conviction slashes the accused. Every dispute ends, whoever stays away.
/// @dev `id` names a dispute (see `challenge`), `result` is the EIP-712 digest of the result that it is about, `transition` the one that is challenged,
/// `accused` the miner, `challenger` who gets what is due to the challenger, `phase` where the dispute stands, `fault` what its accused was found guilty
/// of (`None`: not yet), `deadline` (seconds) until when it waits for what is due, `version` the number of its parameters, `round` counts its juries from 0,
/// `operator` is a juror, `part` a part of an answer (see `Opening`), `modelId` the hash of a model's manifest.
/// Transitions of a result with `states` = N + 1: 0 is `init`, 1...N are the steps, N + 1 is `finish`. Amounts are CAI wei, times are
/// seconds, fractions and probes are WAD. A node speaks for its operator everywhere, and CAI goes to operators.
/// @custom:reverts-packages SafeCastOverflowedUintDowncast, SafeERC20FailedOperation
interface IDisputes {
    /// @notice An argument outside its bounds: `name` is `value`.
    error InvalidParameter(string name, uint256 value);
    /// @notice The zero address was given.
    error ZeroAddress();
    /// @notice The windows take longer than stake takes to leave: `total` > `limit` seconds.
    error ParametersDoNotFit(uint256 total, uint256 limit);
    /// @notice No parameters with this number.
    error UnknownVersion(uint256 version);

    /// @notice The bytes are not a request of version 1 in its one encoding, or are more than 16 KiB.
    error MalformedRequest();
    /// @notice The bytes hash to `actual`, the offer names `expected`.
    error RequestMismatch(bytes32 actual, bytes32 expected);
    /// @notice The request is of model `request`, the offer of model `offer`.
    error ModelMismatch(bytes32 request, bytes32 offer);
    /// @notice The request is marked as not to be made public.
    error NotDisputable();
    /// @notice Results of this model cannot be disputed.
    error ModelNotListed(bytes32 modelId);
    /// @notice The result is of the offer with the digest `actual`, this one has `expected`.
    error OfferMismatch(bytes32 actual, bytes32 expected);
    /// @notice `signer` may not sign for the offer's `coordinator` at the offer's expiry; zero when the signature is nobody's.
    error InvalidOffer(address coordinator, address signer);
    /// @notice `signer` may not sign for the offer's `miner` at the offer's expiry; zero when the signature is nobody's.
    error InvalidResult(address miner, address signer);
    /// @notice The offer's `expiry` is later than that of any offer may be: at most `limit` (seconds).
    error OfferTooLong(uint256 expiry, uint256 limit);
    /// @notice The result could be challenged until `until` (seconds).
    error ChallengeTooLate(uint256 until);
    /// @notice The request's computation has transitions 0...`states`.
    error InvalidTransition(uint256 transition, uint256 states);
    /// @notice `finish` wants one tile, of 1 to 12,288 bytes, and any other transition none; this has `length` bytes.
    error InvalidTile(uint256 length);
    /// @notice There was a dispute of this already.
    error AlreadyChallenged(bytes32 id);
    /// @notice The result has been convicted already.
    error AlreadyConvicted(bytes32 result);
    /// @notice Accused or challenger: it may not challenge itself, or not sit.
    error Involved(address operator);

    /// @notice There is no such dispute.
    error UnknownDispute(bytes32 id);
    /// @notice The dispute is in another phase.
    error WrongPhase(bytes32 id, Phase phase);
    /// @notice That was due until `deadline` (seconds).
    error DeadlinePassed(bytes32 id, uint256 deadline);
    /// @notice Nothing can be done before `deadline` (seconds) is over.
    error NothingDue(bytes32 id, Phase phase, uint256 deadline);

    /// @notice The transition does not need this part, or does not need it any more.
    error NotNeeded(bytes32 id, uint256 part);
    /// @notice A state has 4 to 4,194,304 bytes, a multiple of 4, a blob any number from 1; a chunk all that its place leaves, at most 16
    /// KiB. This has `length` bytes.
    error InvalidLength(uint256 length);
    /// @notice The part has no chunk number `index`.
    error InvalidChunk(uint256 index);
    /// @notice `leaf` (its hash) is not at its place under `root`.
    error InvalidProof(bytes32 leaf, bytes32 root);

    /// @notice The seed gives the operator no vote, or it is no miner with weight now.
    error NotDrawn(bytes32 id, address operator);
    /// @notice A commitment of nothing.
    error ZeroCommitment();
    /// @notice The operator has committed in this round.
    error AlreadyCommitted(bytes32 id, address operator);
    /// @notice The operator has not committed in this round, or has revealed.
    error NotCommitted(bytes32 id, address operator);
    /// @notice The operator committed to something else.
    error CommitmentMismatch(bytes32 id, address operator);
    /// @notice Neither Guilty nor Innocent nor Unable.
    error InvalidVerdict();
    /// @notice `caller` is not the guardian, or the guardian's term is over.
    error Unauthorised(address caller);
    /// @notice There is no vote number `index`, or it is unpaid: minority, off probe, or paid already.
    error NothingToClaim(bytes32 id, uint256 round, uint256 index);

    /// @notice `Jury` lasts from the beacon to the end of the reveals: commits until the deadline, reveals for `revealWindow` after it.
    enum Phase {
        None,
        Answer,
        Seed,
        Jury,
        Veto,
        Convicted,
        Acquitted,
        Drawn
    }

    /// @notice What an accused is guilty of; all cost the same.
    enum Fault {
        None,
        NoAnswer,
        Structure,
        Transition
    }

    /// @notice `Unable` (cannot run this model) is legal, unpaid, and counts for nothing.
    enum Verdict {
        None,
        Guilty,
        Innocent,
        Unable
    }

    /// @notice Frozen for a dispute when it opens. Two slots.
    struct Parameters {
        /// CAI wei: back to the challenger unless the accused is acquitted; it then pays the accused's gas.
        uint80 bond;
        /// CAI wei: what the jurors get in total.
        uint80 juryFee;
        /// WAD of all that is behind the accused.
        uint64 fraction;
        /// Seconds in jail of a convict.
        uint32 jailTerm;
        // slot 1, seconds
        /// An offer expires at most so long after now.
        uint32 maxOfferLife;
        /// After the offer's expiry.
        uint32 challengeWindow;
        uint32 answerWindow;
        /// For a round's beacon to be known here.
        uint32 seedWindow;
        uint32 commitWindow;
        uint32 revealWindow;
        /// While there is a guardian.
        uint32 vetoWindow;
        /// Operators whose votes a verdict needs.
        uint16 minJurors;
        /// Juries until it is a draw, each twice the one before.
        uint8 rounds;
    }

    /// @notice A 64 x 64 tile of the output (less at the right and lower edges), RGB row by row, with its proof to `outputHash`.
    struct Tile {
        uint256 index;
        /// Tiles of the output.
        uint256 count;
        bytes data;
        bytes32[] proof;
    }

    /// @notice One part of an answer: a state of the trace, or the request's blob (`part` = `BLOB`).
    struct Opening {
        /// k of s_k, or `BLOB`.
        uint256 part;
        /// Bytes.
        uint256 length;
        /// Root over its chunks of 16 KiB.
        bytes32 root;
        /// From its leaf to `traceRoot`; empty for the blob, whose leaf `blobRoot` is. Not looked at when the part is known already.
        bytes32[] proof;
    }

    /// @notice A chunk of a part, with its proof to the part's root.
    struct Chunk {
        uint256 index;
        bytes data;
        bytes32[] proof;
    }

    /// @notice A juror's opened vote. One slot.
    struct Vote {
        address operator;
        /// At most 2^80 - 1: what is larger counts as this.
        uint80 probe;
        /// Zero once it is paid.
        uint8 votes;
        Verdict verdict;
    }

    /// @notice A dispute as it stands in storage.
    struct Dispute {
        address accused;
        /// Of the phase: the answer's, the beacon's, the commits' or the veto's, in seconds. In the end, when it ended.
        uint40 deadline;
        Phase phase;
        Fault fault;
        uint8 round;
        uint32 transition;
        // slot 1
        address challenger;
        /// Of the parameters.
        uint32 version;
        /// In which it opened, by Staking's count.
        uint40 epoch;
        // slot 2
        /// Of the request: N + 1.
        uint32 states;
        /// Beacon of the round.
        uint64 beacon;
        /// Votes and operators of the round, those that could judge.
        uint16 guilty;
        uint16 innocent;
        uint16 jurors;
        /// CAI wei a vote, after the end, for those who are paid.
        uint80 payPerVote;
        // slot 3: EIP-712 digest
        bytes32 result;
        // slot 4
        bytes32 traceRoot;
        // slot 5: of a challenged `init`; else zero
        bytes32 blobRoot;
        // slot 6: probes that the pay goes by, a round each, after the end
        uint80[3] medians;
    }

    /// @notice Disputes that open from now on have these `parameters`, of this number.
    event ParametersSet(uint256 indexed version, Parameters parameters);
    /// @notice Results of the model can be disputed from now on if `listed`, else not any more.
    event ModelSet(bytes32 indexed modelId, bool listed);

    /// @notice Everything that a juror needs to re-run the transition but the answer: `offer`, `message` (the result) and `request` as they
    /// were signed; `tile`, number `tileIndex` of the output, if `finish` is challenged. `epoch` is that of now: juries are drawn by the
    /// weights at the start of the one before.
    event Challenged(
        bytes32 indexed id,
        bytes32 indexed result,
        address indexed accused,
        address challenger,
        uint256 version,
        uint256 epoch,
        uint256 transition,
        uint256 deadline,
        Offer offer,
        Result message,
        bytes request,
        uint256 tileIndex,
        bytes tile
    );
    /// @notice A chunk of a part of `length` bytes, number `chunk`, with its bytes `data`, the first time that any dispute of this result
    /// receives it: later disputes find it here, too.
    event Opened(
        bytes32 indexed id, bytes32 indexed result, uint256 indexed part, uint256 length, uint256 chunk, bytes data
    );
    /// @notice The round's jury is drawn by `beacon`, if that is known here by `deadline`.
    event RoundBegan(bytes32 indexed id, uint256 indexed round, uint256 beacon, uint256 deadline);
    /// @notice The round's `seed` is known: commits until `commitUntil`, then reveals until `revealUntil`.
    event JuryCalled(bytes32 indexed id, uint256 indexed round, bytes32 seed, uint256 commitUntil, uint256 revealUntil);
    /// @notice The operator committed to `commitment`, with `votes` votes. Nothing is counted before the reveals, so there are no totals.
    event Committed(
        bytes32 indexed id, uint256 indexed round, address indexed operator, uint256 votes, bytes32 commitment
    );
    /// @notice The operator opened `verdict` and `probe` (WAD, cut to 2^80 - 1) with `votes` votes. `index` is what `claim` wants; nothing
    /// is kept of an `Unable` vote. `guilty` and `innocent` count the round's votes after it, `jurors` the operators that gave them.
    event Revealed(
        bytes32 indexed id,
        uint256 indexed round,
        address indexed operator,
        uint256 index,
        Verdict verdict,
        uint256 probe,
        uint256 votes,
        uint256 guilty,
        uint256 innocent,
        uint256 jurors
    );
    /// @notice The accused is guilty, unless the guardian objects until `deadline`; at once when `deadline` is now.
    event FoundGuilty(bytes32 indexed id, Fault fault, uint256 deadline);
    /// @notice The end, with the phase `outcome`. `slashed` CAI wei were taken from the accused; `toChallenger` and `toAccused` were paid;
    /// jurors can claim `payPerVote` CAI wei a vote, all together bond + juryFee + `paid` (of Staking's `Slashed`, if there is one) -
    /// toChallenger - toAccused.
    event Resolved(
        bytes32 indexed id,
        bytes32 indexed result,
        address indexed accused,
        Phase outcome,
        Fault fault,
        uint256 slashed,
        uint256 toChallenger,
        uint256 toAccused,
        uint256 payPerVote
    );
    /// @notice The slash was refused (`reason` is Staking's error): the verdict stands, and everybody is paid out of what was deposited.
    event SlashFailed(bytes32 indexed id, bytes reason);
    /// @notice The hold could not be released (`reason` is Staking's error); it ends by itself.
    event ReleaseFailed(bytes32 indexed id, bytes reason);
    /// @notice The operator's vote of that round was paid, `amount` CAI wei; each is paid once. No totals: what jurors can still claim is
    /// what `Resolved` left to them, less the `Claimed` of the dispute.
    event Claimed(bytes32 indexed id, uint256 indexed round, address indexed operator, uint256 amount);

    // ---- accuse and answer

    /// @notice Disputes one transition of a result. The caller pays bond and jury fee, and gets what is due to the challenger; if it is a
    /// node in use, its operator does. Refused while entry is paused. A result whose `states` is not the request's is guilty of `Structure`
    /// at once.
    /// @param offer What the coordinator signed.
    /// @param result What the miner signed.
    /// @param offerSignature Of the coordinator's node, EIP-712.
    /// @param resultSignature Of the miner's node, EIP-712.
    /// @param request The bytes that the offer's requestHash is the hash of.
    /// @param transition 0...states of the request.
    /// @param tile Of the output, when the transition is `finish`; else empty.
    /// @return id keccak256(abi.encode(this contract, digest of the result, transition, leaf of the tile or zero)): one dispute each, for ever.
    /// @custom:caller Anybody but the accused, its node included.
    /// @custom:reverts AlreadyChallenged, AlreadyConvicted, ChallengeTooLate, InvalidOffer, InvalidProof,
    /// InvalidResult, InvalidTile, InvalidTransition, Involved, MalformedRequest, ModelMismatch, ModelNotListed,
    /// NotDisputable, OfferMismatch, OfferTooLong, RequestMismatch, those of IERC20.transferFrom, IStaking.hold
    function challenge(
        Offer calldata offer,
        Result calldata result,
        bytes calldata offerSignature,
        bytes calldata resultSignature,
        bytes calldata request,
        uint256 transition,
        Tile calldata tile
    ) external returns (bytes32 id);

    /// @notice Opens a part of the challenged transition, or some chunks of it. `init` needs s_0, and the blob if the
    /// request has one; step k needs s_(k-1) and s_k; `finish` needs s_N. What a result opened in one dispute counts in its others.
    /// Chunks that are there already are skipped. With the last missing chunk the first jury is scheduled.
    /// @dev A number that is not finite is `Structure`: guilty at once.
    /// @param id Of the dispute.
    /// @param opening The part, and its proof to the trace's root.
    /// @param chunks Of the part, each with its proof to the part's root; in any order.
    /// @custom:caller Anybody.
    /// @custom:reverts DeadlinePassed, InvalidChunk, InvalidLength, InvalidProof, NotNeeded, UnknownDispute, WrongPhase
    function answer(bytes32 id, Opening calldata opening, Chunk[] calldata chunks) external;

    // ---- judge

    /// @notice Commits to a verdict: keccak256(abi.encode(id, round, operator, verdict, probe, salt)), as (bytes32, uint256, address, uint8,
    /// uint256, bytes32).
    /// @param id Of the dispute.
    /// @param commitment Not zero.
    /// @custom:caller An operator, or its node in use, that the seed gives votes.
    /// @custom:reverts AlreadyCommitted, DeadlinePassed, Involved, NotDrawn, UnknownDispute, WrongPhase,
    /// ZeroCommitment, those of IERC20.transfer, IStaking.totalWeightAt, IStaking.weightAt
    function commit(bytes32 id, bytes32 commitment) external;

    /// @notice Opens the caller's commitment.
    /// @param id Of the dispute.
    /// @param verdict Guilty, Innocent or Unable.
    /// @param probe WAD.
    /// @param salt As committed to.
    /// @custom:caller Who has committed, or its node.
    /// @custom:reverts CommitmentMismatch, DeadlinePassed, InvalidVerdict, NotCommitted, NothingDue, UnknownDispute,
    /// WrongPhase
    function reveal(bytes32 id, Verdict verdict, uint256 probe, bytes32 salt) external;

    /// @notice Pays a juror what its vote has earned.
    /// @param id Of the dispute.
    /// @param round Of the vote.
    /// @param index From `Revealed`.
    /// @return amount CAI wei, to the vote's operator.
    /// @custom:caller Anybody.
    /// @custom:reverts NothingToClaim, UnknownDispute, WrongPhase, those of IERC20.transfer
    function claim(bytes32 id, uint256 round, uint256 index) external returns (uint256 amount);

    // ---- end

    /// @notice Brings the dispute as far as time allows.
    /// @param id Of the dispute.
    /// @return phase After it.
    /// @custom:caller Anybody.
    /// @custom:reverts NothingDue, UnknownDispute, those of IERC20.transfer
    function resolve(bytes32 id) external returns (Phase phase);

    /// @notice Ends a dispute whose accused was found guilty as a draw, while the veto window is open. Guardian only.
    /// @param id Of the dispute.
    /// @custom:caller The guardian, while it lasts.
    /// @custom:reverts DeadlinePassed, Unauthorised, UnknownDispute, WrongPhase, those of IERC20.transfer
    function veto(bytes32 id) external;

    // ---- govern

    /// @notice Lists a model, or unlists it; open disputes stay as they are.
    /// @param modelId keccak256 of the model's manifest.
    /// @param listed Whether results of it can be disputed from now on.
    /// @custom:caller The owner, which is the timelock.
    /// @custom:reverts OwnableUnauthorizedAccount
    function setModel(bytes32 modelId, bool listed) external;

    /// @notice Sets the parameters of disputes that open from now on.
    /// @param parameters_ Within the bounds of each, and together no longer than stake takes to leave.
    /// @return version Their number.
    /// @custom:caller The owner, which is the timelock.
    /// @custom:reverts InvalidParameter, OwnableUnauthorizedAccount, ParametersDoNotFit
    function setParameters(Parameters calldata parameters_) external returns (uint256 version);

    // ---- views

    /// @notice A dispute as it stands; what is due by now but was not done yet is not in it.
    /// @custom:reverts UnknownDispute
    function dispute(bytes32 id) external view returns (Dispute memory);

    /// @notice Seed of the dispute's current round, keccak256(abi.encode(beacon's value, id, round)); zero while the beacon is unknown.
    /// @custom:reverts UnknownDispute
    function seedOf(bytes32 id) external view returns (bytes32);

    /// @notice Votes that the current round's seed gives the operator; zero if it may not sit.
    /// @custom:reverts UnknownDispute, those of IStaking.totalWeightAt, IStaking.weightAt
    function votesOf(bytes32 id, address operator) external view returns (uint256);

    /// @notice The leaf of a part that the result has opened (zero if none) and the bitmap of the chunks that are still missing.
    /// @param result EIP-712 digest.
    /// @param part k of s_k, or `BLOB`.
    /// @return leaf Of the part.
    /// @return missing A bit a chunk, the first the lowest.
    function opened(bytes32 result, uint256 part) external view returns (bytes32 leaf, uint256 missing);

    /// @notice An opened vote of a round; `index` from `Revealed`. Panics (0x32) if there is none.
    function vote(bytes32 id, uint256 round, uint256 index) external view returns (Vote memory);

    /// @notice Whether a dispute of the result has ended with a conviction: its others end as draws.
    /// @param result EIP-712 digest.
    function convicted(bytes32 result) external view returns (bool);

    /// @notice Whether results of the model can be challenged.
    function isListed(bytes32 modelId) external view returns (bool);

    /// @notice Number of the parameters of new disputes.
    function currentVersion() external view returns (uint256);

    /// @notice The parameters with a number.
    /// @param version From 0.
    /// @custom:reverts UnknownVersion
    function parameters(uint256 version) external view returns (Parameters memory);

    /// @notice The source of the juries' seeds.
    function randomness() external view returns (address);
}
