// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Conversion between the assets of a pool or bucket and the shares of it.
/// @notice Every pool behaves as if it held `VIRTUAL_ASSETS` more assets and `VIRTUAL_SHARES` more shares. So the first price of
/// a share is 1e-6 asset, an empty pool has a price, and inflating that price against the next entrant costs a million
/// times what it takes from it.
/// @dev price = (assets + 1) / (shares + 1e6).
/// A whole pool's shares convert to less than assets + 1 before rounding, hence to at most `assets` rounded down: the last to leave is
/// always paid, whatever was slashed before.
library SharesMath {
    using Math for uint256;

    uint256 internal constant VIRTUAL_SHARES = 1e6;
    uint256 internal constant VIRTUAL_ASSETS = 1;

    /// @dev floor(assets / price)
    function toSharesDown(uint256 assets, uint256 totalAssets, uint256 totalShares) internal pure returns (uint256) {
        return assets.mulDiv(totalShares + VIRTUAL_SHARES, totalAssets + VIRTUAL_ASSETS);
    }

    /// @dev ceil(assets / price)
    function toSharesUp(uint256 assets, uint256 totalAssets, uint256 totalShares) internal pure returns (uint256) {
        return assets.mulDiv(totalShares + VIRTUAL_SHARES, totalAssets + VIRTUAL_ASSETS, Math.Rounding.Ceil);
    }

    /// @dev floor(shares * price)
    function toAssetsDown(uint256 shares, uint256 totalAssets, uint256 totalShares) internal pure returns (uint256) {
        return shares.mulDiv(totalAssets + VIRTUAL_ASSETS, totalShares + VIRTUAL_SHARES);
    }

    /// @dev ceil(shares * price)
    function toAssetsUp(uint256 shares, uint256 totalAssets, uint256 totalShares) internal pure returns (uint256) {
        return shares.mulDiv(totalAssets + VIRTUAL_ASSETS, totalShares + VIRTUAL_SHARES, Math.Rounding.Ceil);
    }

    /// @dev What `shares` lose when `loss` is taken from the assets, rounded down:
    /// floor(shares * price before) - ceil(shares * price after), not below 0
    function lossDown(uint256 shares, uint256 totalAssets, uint256 totalShares, uint256 loss)
        internal
        pure
        returns (uint256)
    {
        return toAssetsDown(shares, totalAssets, totalShares)
            .saturatingSub(toAssetsUp(shares, totalAssets - loss, totalShares));
    }
}
