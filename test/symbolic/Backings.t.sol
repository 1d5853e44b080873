// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Backing, Backings} from "../../contracts/libraries/Backings.sol";

/// @dev What stands behind vouchers: for all backings whose announced amount does not exceed the present one.
contract BackingsSymbolic {
    using Backings for Backing;

    function _backing(uint96 amount, uint96 lowered, uint40 lowersIn, uint128 paid)
        internal
        pure
        returns (Backing memory)
    {
        return Backing({amount: amount, lowered: lowered, lowersIn: lowersIn, paid: paid});
    }

    function check_neverMoreThanTheBacking(uint96 amount, uint96 paid, uint64 share, uint128 got) external pure {
        if (share > 1e18) return;
        uint256 left = _backing(amount, 0, 0, paid).leftDown(share, got);
        assert(left <= amount);
        // However often it is asked: what it got and gets is within its share of all that was ever there.
        assert(left == 0 || got + left <= (uint256(amount) + paid) * share / 1e18);
    }

    /// @dev Paying moves from one side to the other and never leaves an announcement of more than there is.
    function check_payingKeepsTheSum(uint96 amount, uint96 lowered, uint40 lowersIn, uint96 paid, uint96 taken)
        external
        pure
    {
        if (lowered > amount || taken > amount) return;
        Backing memory b = _backing(amount, lowered, lowersIn, paid);
        b.pay(taken);
        assert(uint256(b.amount) + b.paid == uint256(amount) + paid);
        assert(b.lowered <= b.amount && b.lowered <= lowered && b.lowersIn == lowersIn);
    }

    /// @dev A lowering never counts before it matures, and going lower than announced waits anew.
    function check_aLoweringWaits(uint96 amount, uint96 lowered, uint40 lowersIn, uint96 wanted, uint40 maturity)
        external
        pure
    {
        if (lowered > amount || maturity == 0 || lowersIn > maturity) return;
        if (lowersIn == 0 && lowered != 0) return;
        Backing memory b = _backing(amount, lowered, lowersIn, 0);
        b.set(wanted, maturity);
        assert(b.amount == (wanted > amount ? wanted : amount));
        if (wanted < amount) {
            assert(b.lowered == wanted && b.lowersIn != 0);
            if (lowersIn == 0 || wanted < lowered) assert(b.lowersIn == maturity);
            else assert(b.lowersIn == lowersIn);
        } else {
            assert(b.lowersIn == 0);
        }
    }

    function check_settlingBeforeItsEpochChangesNothing(uint96 amount, uint96 lowered, uint40 lowersIn, uint40 epoch)
        external
        pure
    {
        Backing memory b = _backing(amount, lowered, lowersIn, 0);
        b.settle(epoch);
        bool due = lowersIn != 0 && epoch >= lowersIn;
        assert(b.amount == (due ? lowered : amount) && b.lowersIn == (due ? 0 : lowersIn));
    }
}
