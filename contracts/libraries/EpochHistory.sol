// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";

/// @title A number's value at the start of every epoch.
/// @dev Checkpoints keyed by the epoch of a change, valued with what stands after the last change in it: one entry an epoch at most.
library EpochHistory {
    using Checkpoints for Checkpoints.Trace208;
    using SafeCast for uint256;

    /// @dev Writes the value from now on; `epoch` is that of now.
    function set(Checkpoints.Trace208 storage history, uint256 epoch, uint256 value) internal {
        history.push(epoch.toUint48(), value.toUint208());
    }

    /// @dev value at the start of an epoch = value after the last change in an epoch before it
    function atStartOf(Checkpoints.Trace208 storage history, uint256 epoch) internal view returns (uint256) {
        return epoch == 0 ? 0 : history.upperLookupRecent((epoch - 1).toUint48());
    }
}
