// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title What a number was after the last epochs in which it changed.
/// @notice The number's present value is kept by whoever uses this, with the epoch of its last change. At the first change in a later epoch
/// what stood until then is put here, over the oldest of `SIZE` words: once the ring is full, remembering costs no new slot.
/// @dev word = epoch of the change << 192 | value after it (192 bits); an unused word is zero. Written words are ordered by epoch.
library EpochRing {
    using SafeCast for uint256;

    /// @notice There are at most so many changes of epoch to look back.
    uint256 internal constant SIZE = 8;

    struct Ring {
        uint256[SIZE] words;
    }

    /// @dev Puts a word at `next`.
    /// @return The place of the word after it.
    function push(Ring storage ring, uint256 next, uint256 epoch, uint256 value) internal returns (uint8) {
        ring.words[next] = epoch << 192 | value;
        return ((next + 1) % SIZE).toUint8();
    }

    /// @dev value at the start of `epoch` = value after the last change in an epoch before it; zero if there was none.
    /// @param next Where the next word will be put.
    /// @return known False if that change was overwritten.
    function atStartOf(Ring storage ring, uint256 next, uint256 epoch)
        internal
        view
        returns (bool known, uint256 value)
    {
        for (uint256 i = 1; i <= SIZE; ++i) {
            uint256 word = ring.words[(next + SIZE - i) % SIZE];
            if (word == 0) return (true, 0);
            if (word >> 192 < epoch) return (true, word & type(uint192).max);
        }
    }
}
