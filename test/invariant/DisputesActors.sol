// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Offer, Result} from "../../contracts/interfaces/Messages.sol";
import {Evidence} from "../../contracts/libraries/Evidence.sol";
import {MessageHashes} from "../../contracts/libraries/MessageHashes.sol";
import {DisputesTest, IDisputes, Role} from "../utils/DisputesTest.sol";

/// @dev Who plays, and the receipts that they play about: nine miners of which four are accused, their voters, challengers of every kind.
abstract contract DisputesActors is DisputesTest {
    using MessageHashes for Offer;
    using MessageHashes for Result;

    /// What is wrong with a receipt, as far as the chain can tell.
    enum Kind {
        Sound,
        /// s_1 has a number that is none.
        NotFinite,
        /// `states` is not the request's.
        States
    }

    struct Trade {
        Offer offer;
        Result result;
        bytes offerSignature;
        bytes resultSignature;
        bytes request;
        bytes32 digest;
        Kind kind;
    }

    uint256 internal constant MINERS = 9;
    /// Of `states`: an s_1 that is not finite.
    uint256 internal constant NAN = 3;

    address[] public miners;
    address[4] public owners;
    address internal puppet = makeAddr("puppet");
    bytes internal blob = "a picture";
    Trade[] internal _receipts;
    uint256 internal _nonce;
    mapping(address operator => uint256) internal _key;
    mapping(address operator => uint256) internal _formerKey;
    mapping(address node => uint256) internal _replacedAt;
    bytes32[] internal _roots;

    constructor() {
        // Two chunks a state.
        stateLength = Evidence.CHUNK + 64;
    }

    function setUp() public virtual override {
        super.setUp();
        miners.push(miner);
        _key[miner] = minerKey;
        for (uint256 i; i < JURORS; ++i) {
            miners.push(jurors[i]);
            (, _key[jurors[i]]) = makeAddrAndKey(string.concat("juror ", vm.toString(i), " node"));
        }
        owners = [address(0), alice, bob, carol];
        _delegate(miners[0], alice, 100_000e18);
        _delegate(miners[0], bob, 7777e18 + 7);
        _delegate(miners[1], bob, 40_000e18);
        _delegate(miners[2], carol, 50_000e18);
        _delegate(miners[7], alice, 60_000e18);
        _nextEpoch(2);

        tile = _bytes(48, 7);
        blobRoot = Evidence.leaf(Evidence.KIND_BLOB, 0, blob.length, _root(_chunkLeaves(blob)));
        states.push(_floats(1, stateLength));
        // The exponent of the last f32 of the second chunk.
        states[NAN][stateLength - 1] = 0x7f;
        states[NAN][stateLength - 2] = 0xc0;
        for (uint256 s; s < states.length; ++s) {
            _roots.push(_root(_chunkLeaves(states[s])));
        }
    }

    // --------------------------------------------------------------------------------------------------------------- receipts

    /// @dev The leaves of the trace.
    function _trace(Kind kind) internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](3);
        for (uint256 k; k < 3; ++k) {
            leaves[k] = _stateLeaf(k, kind == Kind.NotFinite && k == 1 ? NAN : k);
        }
    }

    function _stateLeaf(uint256 k, uint256 s) internal view returns (bytes32) {
        return Evidence.leaf(Evidence.KIND_STATE, k, stateLength, _roots[s]);
    }

    /// @param formerNode Signed by the miner's node before this one, if there was one. @return which Its index.
    function _newReceipt(address accused, Kind kind, uint256 expiry, bool formerNode) internal returns (uint256 which) {
        which = _receipts.length;
        Trade storage r = _receipts.push();
        r.request = abi.encode(uint8(1), MODEL, bytes32(++_nonce), uint32(3), uint8(0), blobRoot, bytes("{}"));
        r.offer = Offer(coordinator, accused, MODEL, keccak256(r.request), 1e18, uint64(expiry));
        bytes32 domain = registry.domainSeparator();
        bytes32 offerHash = MessageHashes.digest(domain, r.offer.hash());
        r.result = Result(offerHash, _root(_trace(kind)), kind == Kind.States ? 4 : 3, _tileLeaf(0, tile));
        r.digest = MessageHashes.digest(domain, r.result.hash());
        r.offerSignature = _sign(coordinatorKey, r.offer.hash());
        formerNode = formerNode && _formerKey[accused] != 0;
        r.resultSignature = _sign(formerNode ? _formerKey[accused] : _key[accused], r.result.hash());
        r.kind = kind;
    }

    function _idOf(Trade storage r, uint256 transition) internal view returns (bytes32) {
        bytes32 leaf = transition == 3 ? _tileLeaf(0, tile) : bytes32(0);
        return keccak256(abi.encode(disputes, r.digest, transition, leaf));
    }

    function _challengeCall(Trade storage r, uint256 transition) internal view returns (bytes memory) {
        IDisputes.Tile memory t;
        if (transition == 3) (t.count, t.data) = (1, tile);
        return abi.encodeCall(
            disputes.challenge, (r.offer, r.result, r.offerSignature, r.resultSignature, r.request, transition, t)
        );
    }

    /// @dev Sends a state of a receipt's trace, or some of its chunks. @param s In `states`. @param chunk The only one, or 2 for all.
    function _send(bytes32 id, Kind kind, uint256 k, uint256 s, uint256 chunk) internal {
        (, bytes32[] memory proof) = _tree(_trace(kind), k);
        IDisputes.Chunk[] memory chunks = _chunksOf(states[s]);
        if (chunk < 2) chunks = _one(chunks[chunk]);
        disputes.answer(id, IDisputes.Opening(k, stateLength, _roots[s], proof), chunks);
    }

    function _sendBlob(bytes32 id) internal {
        bytes32 root = _root(_chunkLeaves(blob));
        disputes.answer(id, IDisputes.Opening(BLOB, blob.length, root, new bytes32[](0)), _chunksOf(blob));
    }

    // --------------------------------------------------------------------------------------------------- what miners may do

    function _replaceNode(address operator) internal {
        uint256 key = uint256(keccak256(abi.encode("node", ++_nonce)));
        address node = vm.addr(key);
        bytes memory consent = _consent(operator, node, key);
        vm.prank(operator);
        registry.setNode(node, consent);
        _replacedAt[vm.addr(_key[operator])] = block.timestamp;
        (_formerKey[operator], _key[operator]) = (_key[operator], key);
    }

    function _comeBack(address operator) internal {
        address node = registry.nodeOf(operator);
        bytes memory consent = _consent(operator, node, _key[operator]);
        vm.prank(operator);
        registry.register(Role.Miner, node, "", "", consent);
    }

    function _roll() internal {
        vm.roll(block.number + 2);
        vm.warp(block.timestamp + 5);
    }
}
