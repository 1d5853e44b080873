// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @dev A reward that flows evenly in time to all weight. One slot.
struct Stream {
    /// What one unit of weight has earned since the beginning, times 2^48. The whole supply, given to the least weight that there can be
    /// (2^74), is 2^64: room for paying it out 256 times over. Should that be used up, rewards end, and no exit hangs on it.
    uint72 perWeight;
    /// CAI wei a second.
    uint72 rate;
    /// Seconds: until when `perWeight` is reckoned.
    uint40 updatedAt;
    /// Seconds: when all that was funded has flowed.
    uint40 endsAt;
}

/// @title A stream in memory. Rounded down at each step, so it never pays more than it was funded with.
library Streams {
    using SafeCast for uint256;

    uint256 internal constant SCALE_BITS = 48;

    /// @dev Reckons `perWeight` until now: perWeight += rate * seconds * 2^48 / totalWeight. Without any weight nothing flows, and the end
    /// moves away by as much.
    function advance(Stream memory s, uint256 totalWeight) internal view {
        uint256 until = Math.min(block.timestamp, s.endsAt);
        if (until > s.updatedAt) {
            if (totalWeight == 0) {
                s.endsAt += (block.timestamp - s.updatedAt).toUint40();
            } else {
                uint256 added = (uint256(s.rate) * (until - s.updatedAt) << SCALE_BITS) / totalWeight;
                s.perWeight = uint72(Math.min(s.perWeight + added, type(uint72).max));
            }
        }
        s.updatedAt = uint40(block.timestamp);
    }

    /// @dev What `weight` earned since `paid` was reckoned, rounded down.
    function earnedDown(Stream memory s, uint256 weight, uint256 paid) internal pure returns (uint256) {
        return weight * (s.perWeight - paid) >> SCALE_BITS;
    }

    /// @dev Spreads `amount` over what is left of the period; over a new one, together with what was left, when less than a tenth is left:
    /// so nothing flows in a lump. But nobody may slow down what flows already: the new period must flow as fast, unless the old one is over.
    /// The stream is reckoned until now.
    /// @return added To the rate by `amount`, rounded down; zero if it is too little.
    function fundDown(Stream memory s, uint256 amount, uint256 period) internal view returns (uint256 added) {
        uint256 left = Math.saturatingSub(s.endsAt, block.timestamp);
        if (left * 10 >= period) {
            added = amount / left;
            s.rate += added.toUint72();
            return added;
        }
        uint256 rate = (s.rate * left + amount) / period;
        if (left != 0 && rate < s.rate) return 0;
        s.rate = rate.toUint72();
        s.endsAt = (block.timestamp + period).toUint40();
        return amount / period;
    }
}
