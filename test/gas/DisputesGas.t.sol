// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DisputesTest, IDisputes} from "../utils/DisputesTest.sol";

interface IDrand {
    function submit(uint64 round, uint256[2] calldata signature) external;
}

/// @dev Gas of whole transactions of a dispute, as Gas.t.sol measures those of the rest.
/// forge-config: default.isolate = true
contract DisputesGasTest is DisputesTest {
    function _snap(string memory name) internal {
        vm.snapshotGasLastCall("disputes", name);
    }

    function test_gas_convicted() public {
        bytes32 id = _challenge(1);
        _snap("challenge a step");
        IDisputes.Opening memory opening = _opening(0);
        IDisputes.Chunk[] memory chunks = _chunksOf(states[0]);
        disputes.answer(id, opening, _one(chunks[0]));
        _snap("answer, a chunk of 16 KiB, first of a state");
        disputes.answer(id, opening, _one(chunks[1]));
        _snap("answer, a chunk of 3,616 bytes, last of a state");
        opening = _opening(1);
        chunks = _chunksOf(states[1]);
        disputes.answer(id, opening, chunks);
        _snap("answer, a state of 20,000 bytes, last of the answer");
        vm.roll(block.number + 2);
        disputes.resolve(id);
        _snap("resolve, call the jury");
        _commitAndReveal(id);
        disputes.resolve(id);
        _snap("resolve, find guilty");
        vm.warp(block.timestamp + VETO);
        disputes.resolve(id);
        _snap("resolve, convict, 8 jurors");
        disputes.claim(id, 0, 0);
        _snap("claim");
    }

    function _commitAndReveal(bytes32 id) internal {
        for (uint256 i; i < JURORS; ++i) {
            _commit(id, jurors[i], IDisputes.Verdict.Guilty, PROBE);
            if (i == 1) _snap("commit");
        }
        vm.warp(block.timestamp + COMMIT);
        for (uint256 i; i < JURORS; ++i) {
            _reveal(id, jurors[i], IDisputes.Verdict.Guilty, PROBE);
            if (i == 0) _snap("reveal, first of the round");
            if (i == 1) _snap("reveal");
        }
        vm.warp(block.timestamp + REVEAL);
    }

    function test_gas_acquitted() public {
        bytes32 id = _challenge(3);
        _snap("challenge a tile");
        _answerState(id, 2);
        _callJury(id);
        _vote(id, IDisputes.Verdict.Innocent);
        disputes.resolve(id);
        _snap("resolve, acquit, 8 jurors");
    }

    function test_gas_noAnswer() public {
        bytes32 id = _challenge(1);
        vm.warp(block.timestamp + ANSWER);
        disputes.resolve(id);
        _snap("resolve, no answer");
        vm.warp(block.timestamp + VETO);
        disputes.resolve(id);
        _snap("resolve, convict without a jury");
    }

    /// A latent of 512 x 512 pixels: 4 x 64 x 64 numbers, four chunks, before and after.
    function test_gas_aStepOfALargePicture() public {
        stateLength = 4 * 64 * 64 * 4;
        _makeReceipt();
        bytes32 id = _challenge(1);
        _answerState(id, 0);
        _snap("answer, a state of 64 KiB");
    }

    function test_gas_drand() public {
        uint256[4] memory key = [
            0x14018a8127d0cd185f0d0cd168bec330c584581d46f77f41e8ee33ad600588e1,
            0x04961f20efbcec8ce5e176aa182bf141f7059cfb467e3b508bc6f36f227d5cf3,
            0x1c7baa2a010677e813ffca24b4ff5faf3348b2750201c85b126a480118b149f5,
            0x14d3e7aba46a99f40aac6507a2c6d6f3c7a6b38038786831e3e6b5b0adf5894b
        ];
        IDrand drand = IDrand(_deploy("DrandRandomness", abi.encode(key, 1_727_521_075, 3, 60)));
        drand.submit(
            1,
            [
                uint256(0x0d2cdded373210583d66d973f28b68adc4a5d52a39304a38343ee9d2e785f335),
                0x098a1d16660304ceeabac9ddb80ec00916dcbe32ac8597b6295baac935f84648
            ]
        );
        _snap("drand, submit a round");
        vm.snapshotValue("disputes", "size of DrandRandomness", address(drand).code.length);
    }

    function test_gas_sizes() public {
        vm.snapshotValue("disputes", "size of Disputes", address(disputes).code.length);
    }
}
