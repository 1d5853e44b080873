// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SharesMath} from "../../contracts/libraries/SharesMath.sol";

/// @dev Lemmas of the conversion between shares and assets, for all pools that there can be. A whole round trip does not end here: it is
/// fuzzed, see test/unit/SharesMath.t.sol.
contract SharesSymbolic {
    using SharesMath for uint256;

    function check_roundingUpAddsAtMostOneAsset(uint96 assets, uint120 shares, uint120 x) external pure {
        uint256 down = uint256(x).toAssetsDown(assets, shares);
        uint256 up = uint256(x).toAssetsUp(assets, shares);
        assert(down <= up && up <= down + 1);
    }

    function check_roundingUpAddsAtMostOneShare(uint96 assets, uint120 shares, uint96 x) external pure {
        uint256 down = uint256(x).toSharesDown(assets, shares);
        uint256 up = uint256(x).toSharesUp(assets, shares);
        assert(down <= up && up <= down + 1);
    }

    /// @dev A slash of nothing costs nobody anything.
    function check_noLossOfNothing(uint96 assets, uint120 shares, uint120 x) external pure {
        assert(SharesMath.lossDown(x, assets, shares, 0) == 0);
    }

    /// @dev Nobody loses more than it had.
    function check_aLossIsAtMostWhatWasThere(uint96 assets, uint120 shares, uint120 x, uint96 loss) external pure {
        if (loss > assets) return;
        assert(SharesMath.lossDown(x, assets, shares, loss) <= uint256(x).toAssetsDown(assets, shares));
    }

    function check_nothingIsWorthNothing(uint96 assets, uint120 shares) external pure {
        assert(uint256(0).toAssetsDown(assets, shares) == 0 && uint256(0).toSharesDown(assets, shares) == 0);
    }
}
