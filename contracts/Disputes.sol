// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {DisputesAdmin} from "./DisputesAdmin.sol";
import {IDisputes} from "./interfaces/IDisputes.sol";
import {IRandomness} from "./interfaces/IRandomness.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {IStaking} from "./interfaces/IStaking.sol";
import {Offer, Result, Role} from "./interfaces/Messages.sol";
import {Evidence, Request} from "./libraries/Evidence.sol";
import {Jury} from "./libraries/Jury.sol";
import {MessageHashes} from "./libraries/MessageHashes.sol";

/// @title Disputes
/// @notice How a faked result is punished, see IDisputes and docs/disputes.md.
/// @dev Windows are half-open: what is due until a deadline can be done while block.timestamp < deadline, and from then on what follows.
/// `_step` holds the whole machine. Money moves in `challenge` (in), `_end` and `claim` (out), nowhere else; CAI has no hooks.
contract Disputes is DisputesAdmin {
    using MessageHashes for Offer;
    using MessageHashes for Result;
    using SafeCast for uint256;

    // ---------------------------------------------------------------------------------------------------------- constants

    /// @notice Name of the request's blob among the parts of an answer; the others are states.
    uint256 public constant BLOB = type(uint256).max;

    // ------------------------------------------------------------------------------------------------------------ storage

    /// @dev A part of a computation as a result has opened it, for all disputes of the result: it cannot open it otherwise in another.
    struct Part {
        /// Zero while unknown.
        bytes32 leaf;
        /// Bitmap of chunks that nobody has sent yet.
        uint256 missing;
    }

    /// @notice The token of bonds, fees and rewards.
    IERC20 public immutable cai;
    IRandomness internal immutable _randomness;

    /// @inheritdoc IDisputes
    mapping(bytes32 result => bool) public convicted;
    mapping(bytes32 id => Dispute) internal _disputes;
    mapping(bytes32 result => mapping(uint256 part => Part)) internal _parts;
    /// @dev The commitment with its last byte replaced by the operator's votes: still 248 bits of a hash, and one slot.
    mapping(bytes32 id => mapping(uint256 round => mapping(address operator => bytes32))) internal _commitments;
    mapping(bytes32 id => mapping(uint256 round => Vote[])) internal _votes;

    /// @param owner_ A timelock.
    constructor(
        IERC20 cai_,
        IStaking staking_,
        IRegistry registry_,
        IRandomness randomness_,
        address owner_,
        Parameters memory parameters_
    ) DisputesAdmin(staking_, registry_, owner_, parameters_) {
        if (address(cai_) == address(0) || address(randomness_) == address(0)) revert ZeroAddress();
        (cai, _randomness) = (cai_, randomness_);
    }

    // ------------------------------------------------------------------------------------------------------------- accuse

    /// @inheritdoc IDisputes
    function challenge(
        Offer calldata offer,
        Result calldata result,
        bytes calldata offerSignature,
        bytes calldata resultSignature,
        bytes calldata request,
        uint256 transition,
        Tile calldata tile
    ) external returns (bytes32 id) {
        uint256 version = currentVersion();
        Parameters storage p = _parameters[version];
        Request memory r = _requireRequest(offer, request);
        bytes32 digest = _requireReceipt(offer, result, offerSignature, resultSignature);
        _requireInTime(p, offer.expiry);
        if (convicted[digest]) revert AlreadyConvicted(digest);
        id = _requireUnknown(digest, _requireTransition(transition, r.states, tile, result.outputHash), transition);
        address challenger = _operatorOf(msg.sender);
        if (challenger == offer.miner) revert Involved(challenger);

        uint256 epoch = staking.hold(offer.miner, p.fraction);
        Dispute storage d = _disputes[id];
        uint40 deadline = _after(p.answerWindow);
        (d.accused, d.deadline, d.phase) = (offer.miner, deadline, Phase.Answer);
        // forge-lint: disable-next-line(unsafe-typecast)
        (d.transition, d.states) = (uint32(transition), r.states);
        // forge-lint: disable-next-line(unsafe-typecast)
        (d.challenger, d.version, d.epoch) = (challenger, uint32(version), uint40(epoch));
        (d.result, d.traceRoot) = (digest, result.traceRoot);
        if (transition == 0 && r.blobRoot != 0) d.blobRoot = r.blobRoot;

        emit Challenged(
            id,
            digest,
            offer.miner,
            challenger,
            version,
            epoch,
            transition,
            deadline,
            offer,
            result,
            request,
            tile.index,
            tile.data
        );
        if (result.states != r.states) _accuse(id, d, p, Fault.Structure);
        SafeERC20.safeTransferFrom(cai, msg.sender, address(this), uint256(p.bond) + p.juryFee);
    }

    function _requireRequest(Offer calldata offer, bytes calldata request) internal view returns (Request memory r) {
        bytes32 hash = keccak256(request);
        if (hash != offer.requestHash) revert RequestMismatch(hash, offer.requestHash);
        r = Evidence.decode(request);
        if (r.modelId != offer.modelId) revert ModelMismatch(r.modelId, offer.modelId);
        if (r.flags & 1 != 0) revert NotDisputable();
        if (!isListed[r.modelId]) revert ModelNotListed(r.modelId);
    }

    /// @dev Both signed by nodes that were in use when the offer expired, or little longer ago than a grace.
    function _requireReceipt(
        Offer calldata offer,
        Result calldata result,
        bytes calldata offerSignature,
        bytes calldata resultSignature
    ) internal view returns (bytes32 digest) {
        bytes32 domain = registry.domainSeparator();
        bytes32 offerHash = MessageHashes.digest(domain, offer.hash());
        if (result.offerHash != offerHash) revert OfferMismatch(result.offerHash, offerHash);
        (address signer,,) = ECDSA.tryRecover(offerHash, offerSignature);
        if (signer == address(0) || !registry.isLiable(offer.coordinator, signer, offer.expiry)) {
            revert InvalidOffer(offer.coordinator, signer);
        }
        digest = MessageHashes.digest(domain, result.hash());
        (signer,,) = ECDSA.tryRecover(digest, resultSignature);
        if (signer == address(0) || !registry.isLiable(offer.miner, signer, offer.expiry)) {
            revert InvalidResult(offer.miner, signer);
        }
    }

    function _requireInTime(Parameters storage p, uint256 expiry) internal view {
        uint256 limit = block.timestamp + p.maxOfferLife;
        if (expiry > limit) revert OfferTooLong(expiry, limit);
        limit = expiry + p.challengeWindow;
        if (block.timestamp > limit) revert ChallengeTooLate(limit);
    }

    /// @return leaf Of the tile; zero if the transition is not `finish`.
    function _requireTransition(uint256 transition, uint256 states, Tile calldata tile, bytes32 outputHash)
        internal
        pure
        returns (bytes32 leaf)
    {
        if (transition > states) revert InvalidTransition(transition, states);
        if (transition == states) return Evidence.requireTile(tile, outputHash);
        if (tile.data.length != 0) revert InvalidTile(tile.data.length);
    }

    /// @dev The tile's leaf is part of the key: else an accomplice could use up `finish` with a tile that is as it should be.
    function _requireUnknown(bytes32 digest, bytes32 leaf, uint256 transition) internal view returns (bytes32 id) {
        id = keccak256(abi.encode(address(this), digest, transition, leaf));
        if (_disputes[id].phase != Phase.None) revert AlreadyChallenged(id);
    }

    // ------------------------------------------------------------------------------------------------------------- answer

    /// @inheritdoc IDisputes
    function answer(bytes32 id, Opening calldata opening, Chunk[] calldata chunks) external {
        Dispute storage d = _existing(id);
        _requirePhase(id, d, Phase.Answer);
        if (block.timestamp >= d.deadline) revert DeadlinePassed(id, d.deadline);
        if (!_needs(d, opening.part)) revert NotNeeded(id, opening.part);

        Part storage part = _parts[d.result][opening.part];
        _open(d, part, opening);
        bool finite = _receive(id, d.result, part, opening, chunks);
        if (!finite) _accuse(id, d, _parameters[d.version], Fault.Structure);
        else if (_isAnswered(d)) _beginRound(id, d, _parameters[d.version].seedWindow);
    }

    /// @dev Proves the part, or recognises it. A place in the trace holds one leaf, so the same part is never opened otherwise.
    function _open(Dispute storage d, Part storage part, Opening calldata o) internal {
        bytes32 leaf;
        if (o.part == BLOB) {
            leaf = Evidence.leaf(Evidence.KIND_BLOB, 0, o.length, o.root);
            if (leaf != d.blobRoot) revert InvalidProof(leaf, d.blobRoot);
        } else {
            leaf = Evidence.leaf(Evidence.KIND_STATE, o.part, o.length, o.root);
            if (leaf != part.leaf) Evidence.requireProof(o.proof, d.traceRoot, leaf, o.part, d.states);
        }
        if (leaf == part.leaf) return;
        if (o.part != BLOB && o.length % 4 != 0) revert InvalidLength(o.length);
        (part.leaf, part.missing) = (leaf, Evidence.allChunks(o.length));
    }

    /// @dev Takes the chunks that are missing; the others are skipped, so that two who answer at once do not hinder each other.
    /// @return finite False if a number is not finite.
    function _receive(bytes32 id, bytes32 result, Part storage part, Opening calldata o, Chunk[] calldata chunks)
        internal
        returns (bool finite)
    {
        uint256 missing = part.missing;
        finite = true;
        for (uint256 i; i < chunks.length && finite; ++i) {
            Chunk calldata c = chunks[i];
            Evidence.requireChunk(c, o.length, o.root);
            uint256 bit = uint256(1) << c.index;
            if (missing & bit == 0) continue;
            missing &= ~bit;
            finite = o.part == BLOB || Evidence.isFinite(c.data);
            emit Opened(id, result, o.part, o.length, c.index, c.data);
        }
        part.missing = missing;
    }

    /// @dev `init`: s_0, and the blob if there is one; step k: s_(k-1), s_k; `finish` (k = N + 1): s_N.
    function _needs(Dispute storage d, uint256 part) internal view returns (bool) {
        uint256 transition = d.transition;
        if (part == BLOB) return d.blobRoot != 0;
        return part < d.states && (part == transition || part + 1 == transition);
    }

    function _isAnswered(Dispute storage d) internal view returns (bool) {
        uint256 transition = d.transition;
        bytes32 result = d.result;
        if (transition != 0 && !_isOpen(result, transition - 1)) return false;
        if (transition < d.states && !_isOpen(result, transition)) return false;
        return d.blobRoot == 0 || _isOpen(result, BLOB);
    }

    function _isOpen(bytes32 result, uint256 part) internal view returns (bool) {
        Part storage p = _parts[result][part];
        return p.leaf != 0 && p.missing == 0;
    }

    // -------------------------------------------------------------------------------------------------------------- judge

    /// @inheritdoc IDisputes
    function commit(bytes32 id, bytes32 commitment) external {
        if (commitment == 0) revert ZeroCommitment();
        Dispute storage d = _existing(id);
        if (d.phase == Phase.Seed) _step(id, d);
        _requirePhase(id, d, Phase.Jury);
        if (block.timestamp >= d.deadline) revert DeadlinePassed(id, d.deadline);
        address operator = _operatorOf(msg.sender);
        if (operator == d.accused || operator == d.challenger) revert Involved(operator);
        uint256 count = votesOf(id, operator);
        if (count == 0) revert NotDrawn(id, operator);
        mapping(address => bytes32) storage commitments = _commitments[id][d.round];
        if (commitments[operator] != 0) revert AlreadyCommitted(id, operator);

        commitments[operator] = _withVotes(commitment, count);
        emit Committed(id, d.round, operator, count, commitment);
    }

    /// @inheritdoc IDisputes
    function reveal(bytes32 id, Verdict verdict, uint256 probe, bytes32 salt) external {
        if (verdict == Verdict.None) revert InvalidVerdict();
        Dispute storage d = _existing(id);
        _requirePhase(id, d, Phase.Jury);
        uint256 deadline = d.deadline;
        if (block.timestamp < deadline) revert NothingDue(id, Phase.Jury, deadline);
        deadline += _parameters[d.version].revealWindow;
        if (block.timestamp >= deadline) revert DeadlinePassed(id, deadline);
        address operator = _operatorOf(msg.sender);
        uint256 round = d.round;
        bytes32 committed = _commitments[id][round][operator];
        if (committed == 0) revert NotCommitted(id, operator);
        uint8 count = uint8(uint256(committed));
        if (_withVotes(Jury.commitment(id, round, operator, verdict, probe, salt), count) != committed) {
            revert CommitmentMismatch(id, operator);
        }

        delete _commitments[id][round][operator];
        if (probe > type(uint80).max) probe = type(uint80).max;
        uint256 index = _votes[id][round].length;
        if (verdict != Verdict.Unable) {
            // forge-lint: disable-next-line(unsafe-typecast)
            _votes[id][round].push(Vote(operator, uint80(probe), count, verdict));
            if (verdict == Verdict.Guilty) d.guilty += count;
            else d.innocent += count;
            ++d.jurors;
        }
        emit Revealed(id, round, operator, index, verdict, probe, count, d.guilty, d.innocent, d.jurors);
    }

    /// @dev At most 64 votes of a jury of 64 on average, and one more by luck.
    function _withVotes(bytes32 commitment, uint256 count) internal pure returns (bytes32) {
        return bytes32(uint256(commitment) & ~uint256(0xff) | count.toUint8());
    }

    /// @inheritdoc IDisputes
    function claim(bytes32 id, uint256 round, uint256 index) external returns (uint256 amount) {
        Dispute storage d = _existing(id);
        Phase outcome = d.phase;
        if (outcome < Phase.Convicted) revert WrongPhase(id, outcome);
        Vote[] storage cast = _votes[id][round];
        if (index >= cast.length) revert NothingToClaim(id, round, index);
        Vote memory v = cast[index];
        // A vote is paid if it is of the winners and its probe near their median.
        if (Jury.isOfWinners(v.verdict, _winner(outcome)) && Jury.isNear(v.probe, d.medians[round])) {
            amount = uint256(d.payPerVote) * v.votes;
        }
        if (amount == 0) revert NothingToClaim(id, round, index);

        cast[index].votes = 0;
        emit Claimed(id, round, v.operator, amount);
        SafeERC20.safeTransfer(cai, v.operator, amount);
    }

    // ---------------------------------------------------------------------------------------------------------------- end

    /// @inheritdoc IDisputes
    function resolve(bytes32 id) external returns (Phase phase) {
        Dispute storage d = _existing(id);
        if (!_step(id, d)) revert NothingDue(id, d.phase, d.deadline);
        while (_step(id, d)) {}
        return d.phase;
    }

    /// @inheritdoc IDisputes
    function veto(bytes32 id) external {
        if (msg.sender != staking.guardian()) revert Unauthorised(msg.sender);
        Dispute storage d = _existing(id);
        _requirePhase(id, d, Phase.Veto);
        if (block.timestamp >= d.deadline) revert DeadlinePassed(id, d.deadline);
        _end(id, d, Phase.Drawn);
    }

    /// @dev The machine: does the one thing that is due now.
    ///
    ///   Answer --complete--> Seed --beacon in time--> Jury --guilty--> Veto --over--> Convicted
    ///     |                   | ^                       |---innocent------------------> Acquitted
    ///     |--late--> Veto     | '---another round-------|
    ///                         '---last round------------'---last round-----------------> Drawn
    ///
    /// and from everywhere to Drawn once another dispute of the result has convicted it, or by `veto`.
    /// @return done False if nothing is due.
    function _step(bytes32 id, Dispute storage d) internal returns (bool done) {
        Phase phase = d.phase;
        if (phase >= Phase.Convicted) return false;
        Parameters storage p = _parameters[d.version];
        uint256 deadline = d.deadline;
        if (convicted[d.result]) {
            _end(id, d, Phase.Drawn);
        } else if (phase == Phase.Answer) {
            if (_isAnswered(d)) _beginRound(id, d, p.seedWindow);
            else if (block.timestamp < deadline) return false;
            else _accuse(id, d, p, Fault.NoAnswer);
        } else if (phase == Phase.Seed) {
            // A beacon that comes late does not count: nobody may choose, knowing it, whether it does.
            if (block.timestamp >= deadline) return _failRound(id, d, p);
            bytes32 seed = seedOf(id);
            if (seed == 0) return false;
            _callJury(id, d, p, seed);
        } else if (phase == Phase.Jury) {
            if (block.timestamp < deadline + p.revealWindow) return false;
            Verdict verdict = Jury.verdict(d.guilty, d.innocent, d.jurors, p.minJurors);
            if (verdict == Verdict.Guilty) _accuse(id, d, p, Fault.Transition);
            else if (verdict == Verdict.Innocent) _end(id, d, Phase.Acquitted);
            else return _failRound(id, d, p);
        } else {
            if (block.timestamp < deadline) return false;
            _end(id, d, Phase.Convicted);
        }
        return true;
    }

    /// @dev Schedules the jury of round `d.round`.
    function _beginRound(bytes32 id, Dispute storage d, uint256 seedWindow) internal {
        uint256 beacon = _randomness.schedule();
        uint40 deadline = _after(seedWindow);
        (d.phase, d.beacon, d.deadline) = (Phase.Seed, beacon.toUint64(), deadline);
        (d.guilty, d.innocent, d.jurors) = (0, 0, 0);
        emit RoundBegan(id, d.round, beacon, deadline);
    }

    function _failRound(bytes32 id, Dispute storage d, Parameters storage p) internal returns (bool) {
        if (d.round + 1 < p.rounds) {
            ++d.round;
            _beginRound(id, d, p.seedWindow);
        } else {
            _end(id, d, Phase.Drawn);
        }
        return true;
    }

    function _callJury(bytes32 id, Dispute storage d, Parameters storage p, bytes32 seed) internal {
        uint40 deadline = _after(p.commitWindow);
        (d.phase, d.deadline) = (Phase.Jury, deadline);
        emit JuryCalled(id, d.round, seed, deadline, deadline + p.revealWindow);
    }

    /// @dev Guilty, unless somebody who may objects in time.
    function _accuse(bytes32 id, Dispute storage d, Parameters storage p, Fault fault) internal {
        uint40 deadline = _after(staking.guardian() == address(0) ? 0 : p.vetoWindow);
        (d.phase, d.fault, d.deadline) = (Phase.Veto, fault, deadline);
        emit FoundGuilty(id, fault, deadline);
    }

    /// @dev Slashes, releases, pays. Jurors claim their part, `juryFee` in total; what does not divide by their votes goes with the bond.
    /// In hand are bond, fee and what the slash paid: the challenger of a convict gets all but the jurors' part.
    function _end(bytes32 id, Dispute storage d, Phase outcome) internal {
        Parameters storage p = _parameters[d.version];
        uint256 rest = p.juryFee - _settle(id, d, outcome, p.juryFee);
        (d.phase, d.deadline) = (outcome, _after(0));
        (address accused, address challenger) = (d.accused, d.challenger);
        uint256 slashed;
        (uint256 toChallenger, uint256 toAccused) = (p.bond + rest, uint256(0));
        if (outcome == Phase.Convicted) {
            convicted[d.result] = true;
            uint256 paid;
            (slashed, paid) = _slash(id, accused, d.epoch, p);
            toChallenger += paid;
        } else {
            if (outcome == Phase.Acquitted) (toChallenger, toAccused) = (0, toChallenger);
            _release(id, accused, d.epoch, p);
        }

        emit Resolved(id, d.result, accused, outcome, d.fault, slashed, toChallenger, toAccused, d.payPerVote);
        if (toChallenger != 0) SafeERC20.safeTransfer(cai, challenger, toChallenger);
        if (toAccused != 0) SafeERC20.safeTransfer(cai, accused, toAccused);
    }

    /// @dev Finds the median of each round and what a vote is paid: floor(fee / votes that are paid).
    /// @return toJurors CAI wei, all that can be claimed; zero if nobody is paid.
    function _settle(bytes32 id, Dispute storage d, Phase outcome, uint256 fee) internal returns (uint256 toJurors) {
        Verdict winner = _winner(outcome);
        uint256 paidVotes;
        for (uint256 round; round <= d.round; ++round) {
            (uint256 median, uint256 count) = Jury.settle(_votes[id][round], winner);
            if (count == 0) continue;
            // forge-lint: disable-next-line(unsafe-typecast)
            d.medians[round] = uint80(median);
            paidVotes += count;
        }
        if (paidVotes == 0) return 0;
        uint256 payPerVote = fee / paidVotes;
        // forge-lint: disable-next-line(unsafe-typecast)
        d.payPerVote = uint80(payPerVote);
        return payPerVote * paidVotes;
    }

    /// @dev A verdict stands even if Staking refuses to slash (this contract was retired too long ago): deposits are never frozen. Whoever
    /// gives too little gas on purpose to make it fail is left with a 64th of it, which does not suffice for what follows.
    function _slash(bytes32 id, address accused, uint256 epoch, Parameters storage p)
        internal
        returns (uint256 slashed, uint256 paid)
    {
        // It ends the hold; a release on top of it would end another dispute's.
        // All that may be paid out: Staking cuts it to half of what the accused's own shares lost.
        uint256 reward = type(uint256).max;
        try staking.slash(accused, p.fraction, epoch, p.jailTerm, address(this), reward) returns (
            uint256 slashed_, uint256 paid_
        ) {
            return (slashed_, paid_);
        } catch (bytes memory reason) {
            emit SlashFailed(id, reason);
            _release(id, accused, epoch, p);
        }
    }

    function _release(bytes32 id, address accused, uint256 epoch, Parameters storage p) internal {
        try staking.release(accused, p.fraction, epoch) {}
        catch (bytes memory reason) {
            emit ReleaseFailed(id, reason);
        }
    }

    // -------------------------------------------------------------------------------------------------------------- views

    /// @inheritdoc IDisputes
    function dispute(bytes32 id) external view returns (Dispute memory) {
        return _existing(id);
    }

    /// @inheritdoc IDisputes
    function seedOf(bytes32 id) public view returns (bytes32) {
        Dispute storage d = _existing(id);
        if (d.beacon == 0) return 0;
        return Jury.seed(_randomness.seed(d.beacon), id, d.round);
    }

    /// @inheritdoc IDisputes
    /// @dev Weight now (not jailed, not retired, in the role), but counted at the start of the epoch before the challenge, which nobody
    /// can change any more.
    function votesOf(bytes32 id, address operator) public view returns (uint256) {
        Dispute storage d = _existing(id);
        bytes32 seed = seedOf(id);
        if (seed == 0 || operator == d.accused || operator == d.challenger) return 0;
        if (registry.roleOf(operator) != Role.Miner || staking.weightOf(operator) == 0) return 0;
        uint256 epoch = d.epoch == 0 ? 0 : d.epoch - 1;
        uint256 total = staking.totalWeightAt(Role.Miner, epoch);
        return Jury.votes(seed, operator, d.round, staking.weightAt(operator, epoch), total);
    }

    /// @inheritdoc IDisputes
    function opened(bytes32 result, uint256 part) external view returns (bytes32 leaf, uint256 missing) {
        Part storage p = _parts[result][part];
        return (p.leaf, p.missing);
    }

    /// @inheritdoc IDisputes
    function vote(bytes32 id, uint256 round, uint256 index) external view returns (Vote memory) {
        return _votes[id][round][index];
    }

    /// @inheritdoc IDisputes
    function randomness() external view returns (address) {
        return address(_randomness);
    }

    // ----------------------------------------------------------------------------------------------------------- internal

    /// @dev Seconds from now.
    function _after(uint256 window) internal view returns (uint40) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint40(block.timestamp + window);
    }

    function _existing(bytes32 id) internal view returns (Dispute storage d) {
        d = _disputes[id];
        if (d.phase == Phase.None) revert UnknownDispute(id);
    }

    function _requirePhase(bytes32 id, Dispute storage d, Phase phase) internal view {
        if (d.phase != phase) revert WrongPhase(id, d.phase);
    }

    /// @dev The operator whose node in use the account is; else the account itself. A replaced node speaks for nobody.
    function _operatorOf(address account) internal view returns (address operator) {
        operator = registry.operatorOf(account);
        if (operator == address(0) || registry.nodeOf(operator) != account) return account;
    }

    /// @dev Whose votes are paid; a draw has no winner, so all are.
    function _winner(Phase outcome) internal pure returns (Verdict) {
        if (outcome == Phase.Convicted) return Verdict.Guilty;
        return outcome == Phase.Acquitted ? Verdict.Innocent : Verdict.None;
    }
}
