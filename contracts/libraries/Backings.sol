// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Wad} from "./Wad.sol";

/// @dev What stands behind a coordinator's vouchers, in CAI wei. Two slots.
struct Backing {
    uint96 amount;
    /// What `amount` becomes in epoch `lowersIn`; means something only while that is not zero.
    uint96 lowered;
    uint40 lowersIn;
    // slot 1
    /// All that was ever paid out of it.
    uint128 paid;
}

/// @title Setting a backing and paying out of it, in memory.
library Backings {
    using SafeCast for uint256;
    using Wad for uint256;

    /// @dev Puts a lowering into effect whose epoch has come: what counts in `epoch` is `amount` then.
    function settle(Backing memory b, uint256 epoch) internal pure {
        if (b.lowersIn == 0 || epoch < b.lowersIn) return;
        (b.amount, b.lowered, b.lowersIn) = (b.lowered, 0, 0);
    }

    /// @dev Sets a settled backing. A raise counts at once. A lowering waits until epoch `maturity`, anew if it goes below what was announced:
    /// then nothing that stood when a notice began is gone before it; and if it does not, the time that has passed is kept.
    function set(Backing memory b, uint256 amount, uint256 maturity) internal pure {
        if (amount >= b.amount) {
            (b.amount, b.lowered, b.lowersIn) = (amount.toUint96(), 0, 0);
        } else {
            if (b.lowersIn == 0 || amount < b.lowered) b.lowersIn = maturity.toUint40();
            b.lowered = amount.toUint96();
        }
    }

    /// @dev What a miner can still get out of a settled backing of which it got `got` before, rounded down:
    /// min(amount, floor((amount + paid) * share) - got). Measured by all that was ever in it, so that asking often gets no more than
    /// asking once, and one miner's part is not used up by another's.
    function leftDown(Backing memory b, uint256 share, uint256 got) internal pure returns (uint256) {
        uint256 part = (uint256(b.amount) + b.paid).mulDown(share);
        return Math.min(b.amount, Math.saturatingSub(part, got));
    }

    /// @dev Takes `amount` out of a settled backing; what is announced for later never exceeds what is left.
    function pay(Backing memory b, uint256 amount) internal pure {
        b.amount -= amount.toUint96();
        b.paid += amount.toUint128();
        if (b.lowered > b.amount) b.lowered = b.amount;
    }
}
