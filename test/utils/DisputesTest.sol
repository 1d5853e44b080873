// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {IDisputes} from "../../contracts/interfaces/IDisputes.sol";
import {IRandomness} from "../../contracts/interfaces/IRandomness.sol";
import {Offer, Result} from "../../contracts/interfaces/Messages.sol";
import {Evidence} from "../../contracts/libraries/Evidence.sol";
import {Jury} from "../../contracts/libraries/Jury.sol";
import {BaseTest, IStaking, MessageHashes, NodeConsent, Role} from "./BaseTest.sol";

interface IOwnable {
    error OwnableUnauthorizedAccount(address account);
    error OwnableInvalidOwner(address owner);

    function owner() external view returns (address);
    function pendingOwner() external view returns (address);
    function transferOwnership(address newOwner) external;
    function acceptOwnership() external;
}

/// @dev A dispute's whole surroundings: a coordinator, a miner with a result of three states, eight jurors, a challenger.
abstract contract DisputesTest is BaseTest {
    using MessageHashes for Offer;
    using MessageHashes for Result;

    uint256 internal constant BOND = 500e18;
    uint256 internal constant FEE = 200e18;
    uint256 internal constant FRACTION = 0.1e18;
    uint256 internal constant OFFER_LIFE = 1 hours;
    uint256 internal constant CHALLENGE = 4 hours;
    uint256 internal constant ANSWER = 6 hours;
    uint256 internal constant SEED = 10 minutes;
    uint256 internal constant COMMIT = 2 hours;
    uint256 internal constant REVEAL = 2 hours;
    uint256 internal constant VETO = 1 hours;
    uint256 internal constant JAIL_TERM = 1 days;
    uint256 internal constant BLOB = type(uint256).max;
    uint256 internal constant OWN = 30_000e18;
    bytes32 internal constant MODEL = keccak256("model");
    uint256 internal constant JURORS = 8;
    uint256 internal constant PROBE = 12.5e18;

    IDisputes internal disputes;
    IRandomness internal randomness;
    address internal challenger = makeAddr("challenger");
    address[] internal jurors;

    /// The request, the states and the output of the miner's result, and what it signed.
    bytes internal request;
    bytes[] internal states;
    bytes internal tile;
    bytes32 internal blobRoot;
    uint8 internal flags;
    uint32 internal requestStates = 3;
    uint256 internal stateLength = 20_000;
    Offer internal offer;
    Result internal result;
    bytes internal offerSignature;
    bytes internal resultSignature;
    bytes32 internal digest;

    function setUp() public virtual override {
        super.setUp();
        _registerMiner(OWN);
        _registerCoordinator(3_000_000e18);
        for (uint256 i; i < JURORS; ++i) {
            jurors.push(_addMiner(string.concat("juror ", vm.toString(i)), OWN + i * 5000e18));
        }
        randomness = IRandomness(_deploy("BlockHashRandomness", ""));
        disputes = IDisputes(_deployDisputes(_disputeParameters()));
        // Named by the owner, and active after unbonding plus an epoch.
        vm.prank(timelock);
        staking.proposeSlasher(address(disputes));
        vm.prank(timelock);
        disputes.setModel(MODEL, true);
        _nextEpoch(5);
        vm.roll(1000);
        vm.warp(block.timestamp + 1 hours);
        _give(challenger, address(disputes), 100_000e18);
        _makeReceipt();
    }

    function _deployDisputes(IDisputes.Parameters memory p) internal returns (address) {
        return _deploy("Disputes", abi.encode(cai, staking, registry, randomness, timelock, p));
    }

    function _disputeParameters() internal pure returns (IDisputes.Parameters memory) {
        return IDisputes.Parameters({
            bond: uint80(BOND),
            juryFee: uint80(FEE),
            fraction: uint64(FRACTION),
            jailTerm: uint32(JAIL_TERM),
            maxOfferLife: uint32(OFFER_LIFE),
            challengeWindow: uint32(CHALLENGE),
            answerWindow: uint32(ANSWER),
            seedWindow: uint32(SEED),
            commitWindow: uint32(COMMIT),
            revealWindow: uint32(REVEAL),
            vetoWindow: uint32(VETO),
            minJurors: 3,
            rounds: 3
        });
    }

    function _addMiner(string memory name, uint256 own) internal returns (address operator) {
        operator = makeAddr(name);
        (address node, uint256 key) = makeAddrAndKey(string.concat(name, " node"));
        _delegate(operator, operator, own);
        bytes memory consent = _consent(operator, node, key);
        vm.prank(operator);
        registry.register(Role.Miner, node, "", name, consent);
    }

    // ------------------------------------------------------------------------------------------------------------- the receipt

    function _request() internal view returns (bytes memory) {
        return
            abi.encode(uint8(1), MODEL, bytes32("salt"), requestStates, flags, blobRoot, bytes('{"prompt":"a cuckoo"}'));
    }

    /// @dev Three states of two chunks each, and an output of one tile, signed by coordinator and miner.
    function _makeReceipt() internal {
        request = _request();
        delete states;
        for (uint256 k; k < 3; ++k) {
            states.push(_floats(k, stateLength));
        }
        tile = _bytes(64 * 64 * 3, 7);
        _signReceipt();
    }

    function _signReceipt() internal {
        offer = Offer(coordinator, miner, MODEL, keccak256(request), 1e18, uint64(block.timestamp + 30 minutes));
        result = Result(bytes32(0), _traceRoot(), uint32(states.length), _tileLeaf(0, tile));
        _sign();
    }

    /// @dev Signs offer and result as they are.
    function _sign() internal {
        bytes32 domain = registry.domainSeparator();
        result.offerHash = MessageHashes.digest(domain, offer.hash());
        digest = MessageHashes.digest(domain, result.hash());
        offerSignature = _sign(coordinatorKey, offer.hash());
        resultSignature = _sign(minerKey, result.hash());
    }

    /// @dev Finite little-endian f32 around one.
    function _floats(uint256 seed, uint256 length) internal pure returns (bytes memory data) {
        data = new bytes(length);
        for (uint256 i; i < length; i += 4) {
            data[i] = bytes1(uint8(i / 4 + seed));
            data[i + 1] = bytes1(uint8(seed * 31 + 1));
            data[i + 2] = 0x80;
            data[i + 3] = 0x3f;
        }
    }

    function _bytes(uint256 length, uint256 start) internal pure returns (bytes memory data) {
        data = new bytes(length);
        for (uint256 i; i < length; i += 32) {
            uint256 word = uint256(keccak256(abi.encode(start, i)));
            for (uint256 j = i; j < i + 32 && j < length; ++j) {
                data[j] = bytes1(uint8(word >> (8 * (j - i))));
            }
        }
    }

    // ----------------------------------------------------------------------------------------------------------------- trees

    function _chunk(bytes memory data, uint256 index) internal pure returns (bytes memory part) {
        uint256 from = index * Evidence.CHUNK;
        uint256 length = data.length - from < Evidence.CHUNK ? data.length - from : Evidence.CHUNK;
        part = new bytes(length);
        assembly ("memory-safe") {
            let source := add(add(data, 32), from)
            for { let i := 0 } lt(i, length) { i := add(i, 32) } {
                // The last word may run over: new memory is allocated in whole words, and the source is as well.
                mstore(add(add(part, 32), i), mload(add(source, i)))
            }
            mstore(add(add(part, 32), length), 0)
        }
    }

    function _chunkLeaves(bytes memory data) internal pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[]((data.length + Evidence.CHUNK - 1) / Evidence.CHUNK);
        for (uint256 i; i < leaves.length; ++i) {
            bytes memory part = _chunk(data, i);
            leaves[i] = Evidence.leaf(1, i, part.length, keccak256(part));
        }
    }

    function _stateLeaves() internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](states.length);
        for (uint256 k; k < leaves.length; ++k) {
            leaves[k] = Evidence.leaf(2, k, states[k].length, _root(_chunkLeaves(states[k])));
        }
    }

    function _traceRoot() internal view virtual returns (bytes32) {
        return _root(_stateLeaves());
    }

    function _tileLeaf(uint256 index, bytes memory data) internal pure returns (bytes32) {
        return Evidence.leaf(3, index, data.length, keccak256(data));
    }

    /// @dev Pairs in order, an odd node promoted. Keeps `leaves`.
    function _root(bytes32[] memory leaves) internal pure returns (bytes32 root) {
        (root,) = _tree(leaves, 0);
    }

    function _tree(bytes32[] memory leaves, uint256 index) internal pure returns (bytes32, bytes32[] memory proof) {
        bytes32[] memory level = new bytes32[](leaves.length);
        for (uint256 i; i < leaves.length; ++i) {
            level[i] = leaves[i];
        }
        proof = new bytes32[](32);
        uint256 depth;
        for (uint256 count = level.length; count > 1; count = (count + 1) / 2) {
            if (index ^ 1 < count) proof[depth++] = level[index ^ 1];
            for (uint256 i; i < count; i += 2) {
                level[i / 2] = i + 1 < count ? Hashes.efficientKeccak256(level[i], level[i + 1]) : level[i];
            }
            index /= 2;
        }
        assembly ("memory-safe") {
            mstore(proof, depth)
        }
        return (level[0], proof);
    }

    function _opening(uint256 k) internal view returns (IDisputes.Opening memory) {
        (, bytes32[] memory proof) = _tree(_stateLeaves(), k);
        return IDisputes.Opening(k, states[k].length, _root(_chunkLeaves(states[k])), proof);
    }

    function _chunksOf(bytes memory data) internal pure returns (IDisputes.Chunk[] memory chunks) {
        bytes32[] memory leaves = _chunkLeaves(data);
        chunks = new IDisputes.Chunk[](leaves.length);
        for (uint256 i; i < leaves.length; ++i) {
            (, bytes32[] memory proof) = _tree(leaves, i);
            chunks[i] = IDisputes.Chunk(i, _chunk(data, i), proof);
        }
    }

    function _one(IDisputes.Chunk memory chunk) internal pure returns (IDisputes.Chunk[] memory chunks) {
        chunks = new IDisputes.Chunk[](1);
        chunks[0] = chunk;
    }

    // --------------------------------------------------------------------------------------------------------- what people do

    function _noTile() internal pure returns (IDisputes.Tile memory t) {}

    function _challenge(uint256 transition) internal returns (bytes32) {
        IDisputes.Tile memory t;
        if (transition == requestStates) (t.count, t.data) = (1, tile);
        return _challenge(challenger, transition, t);
    }

    function _challenge(address who, uint256 transition, IDisputes.Tile memory t) internal returns (bytes32) {
        vm.prank(who);
        return disputes.challenge(offer, result, offerSignature, resultSignature, request, transition, t);
    }

    /// @dev For what is expected to revert: the prank is on the call itself.
    function _tryChallenge(uint256 transition, bytes memory reason) internal {
        IDisputes.Tile memory t;
        if (transition == requestStates) (t.count, t.data) = (1, tile);
        vm.expectRevert(reason);
        _challenge(challenger, transition, t);
    }

    function _answerState(bytes32 id, uint256 k) internal {
        disputes.answer(id, _opening(k), _chunksOf(states[k]));
    }

    /// @dev Everything that the dispute's transition needs, short of a blob.
    function _answer(bytes32 id) internal {
        uint256 transition = disputes.dispute(id).transition;
        if (transition != 0) _answerState(id, transition - 1);
        if (transition < states.length) _answerState(id, transition);
    }

    /// @dev Until the round's seed is known, and its jury called.
    function _callJury(bytes32 id) internal {
        vm.roll(block.number + 2);
        vm.warp(block.timestamp + 5);
        disputes.resolve(id);
        assertEq(uint8(disputes.dispute(id).phase), uint8(IDisputes.Phase.Jury));
    }

    function _commitment(bytes32 id, address juror, IDisputes.Verdict verdict, uint256 probe)
        internal
        view
        returns (bytes32)
    {
        return Jury.commitment(id, disputes.dispute(id).round, juror, verdict, probe, bytes32("salt"));
    }

    function _commit(bytes32 id, address juror, IDisputes.Verdict verdict, uint256 probe) internal {
        bytes32 commitment = _commitment(id, juror, verdict, probe);
        vm.prank(juror);
        disputes.commit(id, commitment);
    }

    function _reveal(bytes32 id, address juror, IDisputes.Verdict verdict, uint256 probe) internal {
        vm.prank(juror);
        disputes.reveal(id, verdict, probe, bytes32("salt"));
    }

    /// @dev All jurors that have votes vote alike, as soon as they may.
    function _vote(bytes32 id, IDisputes.Verdict verdict) internal {
        _vote(id, verdict, 0);
    }

    /// @param late Seconds by which they reveal later.
    function _vote(bytes32 id, IDisputes.Verdict verdict, uint256 late) internal {
        for (uint256 i; i < JURORS; ++i) {
            if (disputes.votesOf(id, jurors[i]) != 0) _commit(id, jurors[i], verdict, PROBE);
        }
        vm.warp(block.timestamp + COMMIT + late);
        for (uint256 i; i < JURORS; ++i) {
            if (disputes.votesOf(id, jurors[i]) != 0) _reveal(id, jurors[i], verdict, PROBE);
        }
        vm.warp(block.timestamp + REVEAL - late);
    }

    /// @dev A dispute of this transition that has been answered, and whose jury is called.
    function _juryOn(uint256 transition) internal returns (bytes32 id) {
        id = _challenge(transition);
        _answer(id);
        _callJury(id);
    }

    function _convict(bytes32 id) internal {
        _vote(id, IDisputes.Verdict.Guilty);
        disputes.resolve(id);
        vm.warp(block.timestamp + VETO);
        disputes.resolve(id);
        _assertPhase(id, IDisputes.Phase.Convicted);
    }

    // -------------------------------------------------------------------------------------------------------------- what holds

    function _assertPhase(bytes32 id, IDisputes.Phase phase) internal view {
        assertEq(uint8(disputes.dispute(id).phase), uint8(phase), "phase");
    }

    /// @dev Nothing of the accused is held back any more in the epoch of the dispute.
    function _assertReleased(bytes32 id) internal {
        uint256 epoch = disputes.dispute(id).epoch;
        address accused = disputes.dispute(id).accused;
        vm.prank(address(disputes));
        vm.expectRevert(abi.encodeWithSelector(IStaking.NotHeld.selector, accused, epoch, 0, 1));
        staking.release(accused, 1, epoch);
    }
}
