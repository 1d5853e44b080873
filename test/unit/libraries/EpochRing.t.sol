// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {EpochRing} from "../../../contracts/libraries/EpochRing.sol";

contract EpochRingTest is Test {
    using EpochRing for EpochRing.Ring;

    EpochRing.Ring internal _ring;

    function _assertAt(uint256 next, uint256 epoch, bool known, uint256 value) internal view {
        (bool k, uint256 v) = _ring.atStartOf(next, epoch);
        assertEq(k, known);
        assertEq(v, value);
    }

    function test_anEmptyOneKnowsThatThereWasNothing() public view {
        for (uint256 next; next < EpochRing.SIZE; ++next) {
            _assertAt(next, 0, true, 0);
            _assertAt(next, 20_000, true, 0);
        }
    }

    function test_valuesStandFromTheNextEpochOn() public {
        uint8 next = _ring.push(0, 0, 0);
        next = _ring.push(next, 7, 70);
        next = _ring.push(next, 9, 0);
        next = _ring.push(next, 12, 120);
        assertEq(next, 4);
        _assertAt(next, 7, true, 0);
        _assertAt(next, 8, true, 70);
        _assertAt(next, 9, true, 70);
        _assertAt(next, 10, true, 0);
        _assertAt(next, 12, true, 0);
        _assertAt(next, 13, true, 120);
        _assertAt(next, 1000, true, 120);
    }

    function test_wrapsAround() public {
        uint256 next;
        for (uint256 i = 1; i <= 20; ++i) {
            next = _ring.push(next, i, i * 10);
            assertEq(next, i % 8);
        }
        for (uint256 i = 1; i <= 13; ++i) {
            _assertAt(next, i, false, 0);
        }
        for (uint256 i = 14; i <= 21; ++i) {
            _assertAt(next, i, true, (i - 1) * 10);
        }
    }

    function test_keepsWholeWords() public {
        uint8 next = _ring.push(0, type(uint32).max, type(uint192).max);
        _assertAt(next, uint256(type(uint32).max) + 1, true, type(uint192).max);
        _assertAt(next, type(uint32).max, true, 0);
    }

    function test_rememberingCostsNoNewSlotOnceFull() public {
        uint256 next;
        for (uint256 i = 1; i <= 8; ++i) {
            next = _ring.push(next, i, i);
        }
        vm.record();
        _ring.push(next, 9, 9);
        (, bytes32[] memory writes) = vm.accesses(address(this));
        assertEq(writes.length, 1);
        _assertAt(1, 10, true, 9);
        _assertAt(1, 2, false, 0);
    }

    /// Against a list of all that ever was.
    function testFuzz_saysWhatAListSays(uint8[24] memory gaps, uint64[24] memory values, uint256 ask) public {
        uint256[24] memory epochs;
        uint256 next;
        uint256 epoch;
        for (uint256 i; i < 24; ++i) {
            epoch += 1 + gaps[i] % 3;
            epochs[i] = epoch;
            next = _ring.push(next, epoch, values[i]);
        }
        ask = bound(ask, 0, epoch + 3);
        uint256 last = 24;
        for (uint256 i; i < 24; ++i) {
            if (epochs[i] < ask) last = i;
        }
        if (last == 24 || last < 16) _assertAt(next, ask, false, 0);
        else _assertAt(next, ask, true, values[last]);
    }
}
