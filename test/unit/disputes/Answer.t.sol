// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {DisputesTest, Evidence, IDisputes} from "../../utils/DisputesTest.sol";

contract AnswerTest is DisputesTest {
    function _tryAnswer(
        bytes32 id,
        IDisputes.Opening memory opening,
        IDisputes.Chunk[] memory chunks,
        bytes memory reason
    ) internal {
        vm.expectRevert(reason);
        disputes.answer(id, opening, chunks);
    }

    // ------------------------------------------------------------------------------------------------- what is asked, in parts

    function test_aStepWantsTheStateBeforeAndAfter() public {
        bytes32 id = _challenge(1);
        IDisputes.Chunk[] memory chunks = _chunksOf(states[0]);
        assertEq(chunks.length, 2);
        vm.expectEmit(address(disputes));
        emit IDisputes.Opened(id, digest, 0, stateLength, 1, chunks[1].data);
        vm.prank(carol);
        disputes.answer(id, _opening(0), _one(chunks[1]));
        (bytes32 leaf, uint256 missing) = disputes.opened(digest, 0);
        assertEq(leaf, _stateLeaves()[0]);
        assertEq(missing, 1, "chunk 0");

        disputes.answer(id, _opening(0), _one(chunks[0]));
        _assertPhase(id, IDisputes.Phase.Answer);
        chunks = _chunksOf(states[1]);
        disputes.answer(id, _opening(1), _one(chunks[0]));
        _assertPhase(id, IDisputes.Phase.Answer);
        vm.expectEmit(address(disputes));
        emit IDisputes.RoundBegan(id, 0, block.number + 1, block.timestamp + SEED);
        disputes.answer(id, _opening(1), _one(chunks[1]));
        _assertPhase(id, IDisputes.Phase.Seed);
        assertEq(disputes.dispute(id).beacon, block.number + 1);
    }

    /// @notice States of whole chunks, of one and of several.
    function test_statesOfWholeChunks() public {
        for (uint256 count = 1; count < 5; ++count) {
            stateLength = count * Evidence.CHUNK;
            _makeReceipt();
            bytes32 id = _challenge(1);
            _answer(id);
            _assertPhase(id, IDisputes.Phase.Seed);
        }
    }

    function test_initWantsTheFirstState() public {
        bytes32 id = _challenge(0);
        _answerState(id, 0);
        _assertPhase(id, IDisputes.Phase.Seed);
    }

    function test_finishWantsTheLastState() public {
        bytes32 id = _challenge(3);
        IDisputes.Opening memory opening = _opening(1);
        _tryAnswer(id, opening, _chunksOf(states[1]), abi.encodeWithSelector(IDisputes.NotNeeded.selector, id, 1));
        opening.part = 3;
        _tryAnswer(id, opening, _chunksOf(states[1]), abi.encodeWithSelector(IDisputes.NotNeeded.selector, id, 3));
        _answerState(id, 2);
        _assertPhase(id, IDisputes.Phase.Seed);
    }

    function test_refusesOtherParts() public {
        bytes32 id = _challenge(1);
        IDisputes.Opening memory opening = _opening(2);
        _tryAnswer(id, opening, _chunksOf(states[2]), abi.encodeWithSelector(IDisputes.NotNeeded.selector, id, 2));
        opening.part = BLOB;
        _tryAnswer(id, opening, _chunksOf(states[2]), abi.encodeWithSelector(IDisputes.NotNeeded.selector, id, BLOB));
        id = _challenge(0);
        opening.part = BLOB;
        _tryAnswer(id, opening, _chunksOf(states[2]), abi.encodeWithSelector(IDisputes.NotNeeded.selector, id, BLOB));
    }

    function test_initWantsTheBlobToo() public {
        bytes memory blob = _bytes(16 * 1024 + 5, 1);
        // Any bytes will do in a blob: these are no finite numbers.
        (blob[0], blob[1], blob[2], blob[3]) = (0xff, 0xff, 0xff, 0xff);
        bytes32 root = _root(_chunkLeaves(blob));
        blobRoot = keccak256(bytes.concat(keccak256(abi.encode(4, 0, blob.length, root))));
        _makeReceipt();
        bytes32 id = _challenge(0);
        assertEq(disputes.dispute(id).blobRoot, blobRoot);
        _answerState(id, 0);
        _assertPhase(id, IDisputes.Phase.Answer);

        IDisputes.Opening memory opening = IDisputes.Opening(BLOB, blob.length + 1, root, new bytes32[](0));
        bytes32 leaf = Evidence.leaf(4, 0, blob.length + 1, root);
        IDisputes.Chunk[] memory chunks = _chunksOf(blob);
        _tryAnswer(id, opening, chunks, abi.encodeWithSelector(IDisputes.InvalidProof.selector, leaf, blobRoot));
        opening.length = blob.length;
        disputes.answer(id, opening, chunks);
        _assertPhase(id, IDisputes.Phase.Seed);
        // Steps do not want it.
        id = _challenge(1);
        assertEq(disputes.dispute(id).blobRoot, 0);
    }

    // ------------------------------------------------------------------------------------------------------------------ proofs

    function test_refusesWhatIsNotUnderTheRoot() public {
        bytes32 id = _challenge(1);
        IDisputes.Chunk[] memory chunks = _chunksOf(states[0]);
        IDisputes.Opening memory opening = _opening(0);
        bytes32 leaf;

        opening.length += 4;
        leaf = Evidence.leaf(2, 0, opening.length, opening.root);
        _tryAnswer(id, opening, chunks, abi.encodeWithSelector(IDisputes.InvalidProof.selector, leaf, result.traceRoot));
        opening = _opening(0);
        opening.part = 1;
        leaf = Evidence.leaf(2, 1, opening.length, opening.root);
        _tryAnswer(id, opening, chunks, abi.encodeWithSelector(IDisputes.InvalidProof.selector, leaf, result.traceRoot));
        opening = _opening(0);
        opening.proof[0] = 0;
        vm.expectPartialRevert(IDisputes.InvalidProof.selector);
        disputes.answer(id, opening, chunks);

        opening = _opening(0);
        chunks[1].data[5] ^= 0x01;
        leaf = Evidence.leaf(1, 1, chunks[1].data.length, keccak256(chunks[1].data));
        _tryAnswer(id, opening, chunks, abi.encodeWithSelector(IDisputes.InvalidProof.selector, leaf, opening.root));
    }

    function test_chunksHaveTheLengthOfTheirPlace() public {
        bytes32 id = _challenge(1);
        IDisputes.Opening memory opening = _opening(0);
        IDisputes.Chunk[] memory chunks = _chunksOf(states[0]);
        chunks[1].index = 2;
        _tryAnswer(id, opening, chunks, abi.encodeWithSelector(IDisputes.InvalidChunk.selector, 2));
        chunks[1].index = type(uint256).max;
        _tryAnswer(id, opening, chunks, abi.encodeWithSelector(IDisputes.InvalidChunk.selector, type(uint256).max));
        chunks[1].index = 0;
        uint256 length = chunks[1].data.length;
        _tryAnswer(id, opening, chunks, abi.encodeWithSelector(IDisputes.InvalidLength.selector, length));
        chunks[1].index = 1;
        chunks[1].data = bytes.concat(chunks[1].data, hex"00000000");
        _tryAnswer(id, opening, chunks, abi.encodeWithSelector(IDisputes.InvalidLength.selector, length + 4));
    }

    /// @notice A state too long to be opened, or that is no sequence of f32, cannot be opened: its miner is guilty of no answer.
    /// @dev Signs a trace whose s_0 has this length, and some chunks.
    function _commitToLength(uint256 length) internal returns (IDisputes.Opening memory opening) {
        bytes32[] memory leaves = _stateLeaves();
        (opening.length, opening.root) = (length, keccak256("chunks"));
        leaves[0] = Evidence.leaf(2, 0, length, opening.root);
        (result.traceRoot, opening.proof) = _tree(leaves, 0);
        _sign();
    }

    function test_impossibleLengths() public {
        uint256[4] memory lengths = [uint256(0), 6, Evidence.MAX_CHUNKS * Evidence.CHUNK + 4, type(uint256).max / 4 * 4];
        for (uint256 i; i < lengths.length; ++i) {
            IDisputes.Opening memory opening = _commitToLength(lengths[i]);
            bytes32 id = _challenge(0);
            bytes memory reason = abi.encodeWithSelector(IDisputes.InvalidLength.selector, lengths[i]);
            _tryAnswer(id, opening, new IDisputes.Chunk[](0), reason);
        }
    }

    function test_aStateOf256Chunks() public {
        IDisputes.Opening memory opening = _commitToLength(256 * Evidence.CHUNK);
        bytes32 id = _challenge(0);
        disputes.answer(id, opening, new IDisputes.Chunk[](0));
        (, uint256 missing) = disputes.opened(digest, 0);
        assertEq(missing, type(uint256).max);
        _assertPhase(id, IDisputes.Phase.Answer);
    }

    // ------------------------------------------------------------------------------------------------------------------- races

    /// @notice Two who answer at once do not hinder each other: what is there already is skipped.
    function test_skipsWhatIsThere() public {
        bytes32 id = _challenge(1);
        IDisputes.Chunk[] memory chunks = _chunksOf(states[0]);
        disputes.answer(id, _opening(0), _one(chunks[0]));
        vm.recordLogs();
        disputes.answer(id, _opening(0), chunks);
        assertEq(vm.getRecordedLogs().length, 1, "only the missing one");
        (, uint256 missing) = disputes.opened(digest, 0);
        assertEq(missing, 0);
        vm.recordLogs();
        disputes.answer(id, _opening(0), chunks);
        assertEq(vm.getRecordedLogs().length, 0);
        // A known part needs no proof any more.
        IDisputes.Opening memory opening = _opening(0);
        opening.proof = new bytes32[](0);
        disputes.answer(id, opening, chunks);
    }

    function test_notAfterTheDeadline() public {
        bytes32 id = _challenge(1);
        uint256 deadline = block.timestamp + ANSWER;
        vm.warp(deadline - 1);
        _answerState(id, 0);
        vm.warp(deadline);
        _tryAnswer(
            id,
            _opening(1),
            _chunksOf(states[1]),
            abi.encodeWithSelector(IDisputes.DeadlinePassed.selector, id, deadline)
        );
    }

    function test_notWhenAllIsThere() public {
        bytes32 id = _challenge(0);
        _answerState(id, 0);
        _tryAnswer(
            id,
            _opening(0),
            _chunksOf(states[0]),
            abi.encodeWithSelector(IDisputes.WrongPhase.selector, id, IDisputes.Phase.Seed)
        );
    }

    /// @notice Overlapping disputes share what was opened: the second needs only what the first did not open.
    function test_disputesShareTheirParts() public {
        bytes32 first = _challenge(1);
        bytes32 second = _challenge(2);
        bytes32 third = _challenge(0);
        _answer(first);
        _assertPhase(second, IDisputes.Phase.Answer);
        _answerState(second, 2);
        _assertPhase(second, IDisputes.Phase.Seed);
        // s_0 came by the first: whoever calls brings it on.
        disputes.resolve(third);
        _assertPhase(third, IDisputes.Phase.Seed);
    }

    /// @notice A miner that could put two s_1 under one root, and open one for the step to it and the other for the step from it, would get
    /// away with any splice. A place holds one leaf: where the other lies, it is not s_1 of three states.
    function test_twoStatesUnderOneIndex() public {
        // One chunk: only the trace's tree matters.
        stateLength = 4096;
        _makeReceipt();
        bytes memory other = _floats(9, stateLength);
        bytes32[] memory leaves = new bytes32[](4);
        for (uint256 k; k < 3; ++k) {
            leaves[k] = _stateLeaves()[k];
        }
        IDisputes.Opening memory opening =
            IDisputes.Opening(1, other.length, _root(_chunkLeaves(other)), new bytes32[](0));
        leaves[3] = Evidence.leaf(2, 1, other.length, opening.root);
        // The miner's tree: as a tree of three would be, with the other s_1 anywhere else.
        result.traceRoot = _root(leaves);
        _sign();
        bytes32 id = _challenge(2);
        for (uint256 place; place < 4; ++place) {
            (, opening.proof) = _tree(leaves, place);
            vm.expectRevert(abi.encodeWithSelector(IDisputes.InvalidProof.selector, leaves[3], result.traceRoot));
            disputes.answer(id, opening, _chunksOf(other));
        }
        // Or as trees are whose pairs are sorted: there a proof does not say on which side its siblings are.
        bytes32 first = Hashes.commutativeKeccak256(leaves[0], leaves[1]);
        result.traceRoot = Hashes.commutativeKeccak256(first, Hashes.commutativeKeccak256(leaves[2], leaves[3]));
        _sign();
        id = _challenge(2);
        opening.proof = new bytes32[](2);
        (opening.proof[0], opening.proof[1]) = (leaves[2], first);
        vm.expectRevert(abi.encodeWithSelector(IDisputes.InvalidProof.selector, leaves[3], result.traceRoot));
        disputes.answer(id, opening, _chunksOf(other));

        vm.warp(block.timestamp + ANSWER);
        vm.expectEmit(address(disputes));
        emit IDisputes.FoundGuilty(id, IDisputes.Fault.NoAnswer, block.timestamp + VETO);
        disputes.resolve(id);
    }

    /// @notice Each leaf is proven at its place among so many and nowhere else, in trees of all shapes.
    function testFuzz_places(uint256 count, uint256 index, uint256 place) public {
        count = bound(count, 1, 40);
        index = bound(index, 0, count - 1);
        bytes32[] memory leaves = new bytes32[](count);
        for (uint256 i; i < count; ++i) {
            leaves[i] = Evidence.leaf(2, i, 4, bytes32(i));
        }
        (bytes32 root, bytes32[] memory proof) = _tree(leaves, index);
        this.requireProof(proof, root, leaves[index], index, count);
        place = bound(place, 0, 2 * count);
        if (place != index) {
            vm.expectRevert(abi.encodeWithSelector(IDisputes.InvalidProof.selector, leaves[index], root));
            this.requireProof(proof, root, leaves[index], place, count);
        }
        // The last sibling missing, or one too many.
        bytes32[] memory longer = new bytes32[](proof.length + 1);
        for (uint256 i; i < proof.length; ++i) {
            longer[i] = proof[i];
        }
        vm.expectRevert(abi.encodeWithSelector(IDisputes.InvalidProof.selector, leaves[index], root));
        this.requireProof(longer, root, leaves[index], index, count);
    }

    function requireProof(bytes32[] calldata proof, bytes32 root, bytes32 leaf, uint256 index, uint256 count)
        external
        pure
    {
        Evidence.requireProof(proof, root, leaf, index, count);
    }

    // ------------------------------------------------------------------------------------------------------------------ finite

    function _expectGuilty(bytes4 number, uint256 at) internal {
        for (uint256 i; i < 4; ++i) {
            states[0][at + i] = number[i];
        }
        _signReceipt();
        bytes32 id = _challenge(0);
        disputes.answer(id, _opening(0), _chunksOf(states[0]));
        _assertPhase(id, IDisputes.Phase.Veto);
        assertEq(uint8(disputes.dispute(id).fault), uint8(IDisputes.Fault.Structure));
    }

    /// @notice NaN and infinities, wherever they are.
    function test_numbersThatAreNotFinite() public {
        _expectGuilty(0x0000807f, 0);
        states[0] = _floats(0, stateLength);
        _expectGuilty(0x000080ff, 4);
        states[0] = _floats(0, stateLength);
        _expectGuilty(0x0000c07f, 28);
        states[0] = _floats(0, stateLength);
        _expectGuilty(0x010080ff, stateLength - 4);
        states[0] = _floats(0, stateLength);
        _expectGuilty(0xffffffff, 16 * 1024 - 4);
    }

    function test_finiteNumbersAtTheEdge() public {
        bytes4[6] memory numbers = [bytes4(0xffff7f7f), 0xffff7fff, 0x00000000, 0x00000080, 0x01000000, 0xffff7f00];
        // Each in each of the eight places of a word.
        for (uint256 i; i < 8 * numbers.length; ++i) {
            for (uint256 j; j < 4; ++j) {
                states[0][i * 4 + j] = numbers[i % numbers.length][j];
            }
        }
        _signReceipt();
        bytes32 id = _challenge(0);
        _answerState(id, 0);
        _assertPhase(id, IDisputes.Phase.Seed);
    }

    function isFinite(bytes calldata data) external pure returns (bool) {
        return Evidence.isFinite(data);
    }

    /// @notice The trick with eight at a time agrees with looking at each: also when an exponent is all but full.
    function testFuzz_isFinite(bytes memory data, uint256 at, uint256 kind) public view {
        uint256 length = data.length / 4 * 4;
        assembly ("memory-safe") {
            mstore(data, length)
        }
        if (length != 0) {
            at = at % (length / 4) * 4;
            uint8[4] memory third = [uint8(0xff), 0x7f, 0x80, 0];
            uint8[4] memory fourth = [uint8(0x7f), 0xff, 0xfe, 0x7e];
            data[at + 2] = bytes1(third[kind % 4]);
            data[at + 3] = bytes1(fourth[kind / 4 % 4]);
        }
        bool finite = true;
        for (uint256 i; i < length; i += 4) {
            if (uint8(data[i + 3]) & 0x7f == 0x7f && uint8(data[i + 2]) & 0x80 == 0x80) finite = false;
        }
        assertEq(this.isFinite(data), finite);
    }
}
