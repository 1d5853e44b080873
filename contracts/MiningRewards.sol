// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {CAI} from "./CAI.sol";
import {IMiningRewards} from "./interfaces/IMiningRewards.sol";
import {IPayments} from "./interfaces/IPayments.sol";
import {WAD, Wad} from "./libraries/Wad.sol";

/// @title MiningRewards
/// @notice Pays for work out of what it was funded with, see IMiningRewards.
/// @dev Nobody owns it and nothing can be set. It always holds what it still promises: emissions change only for epochs that have not begun, by what
/// came in; an epoch's claims are at most emission x the shares that worked, and what is recycled is the rest of it.
contract MiningRewards is IMiningRewards {
    using BitMaps for BitMaps.BitMap;
    using Checkpoints for Checkpoints.Trace208;
    using SafeCast for uint256;
    using Wad for uint256;

    // ---------------------------------------------------------------------------------------------------------- constants

    /// @notice The stream has at most so many epochs.
    uint256 public constant MAX_EPOCHS = 1e7;

    // ------------------------------------------------------------------------------------------------------------ storage

    /// @notice The token of the stream.
    CAI public immutable cai;
    /// @notice Knows who paid whom for work.
    IPayments public immutable payments;
    /// @inheritdoc IMiningRewards
    uint256 public immutable firstEpoch;
    /// @inheritdoc IMiningRewards
    uint256 public immutable lastEpoch;
    uint256 internal immutable _epochLength;

    /// @inheritdoc IMiningRewards
    uint256 public remainder;
    /// @dev By the epoch from which it is so: what each epoch emits.
    Checkpoints.Trace208 internal _emissions;
    /// @dev By epoch.
    mapping(address coordinator => mapping(address miner => BitMaps.BitMap)) internal _claimed;
    /// @dev By epoch.
    BitMaps.BitMap internal _recycled;

    /// @param firstEpoch_ May be past or current already: those emit nothing.
    /// @param epochs Number of epochs that emit.
    constructor(CAI cai_, IPayments payments_, uint256 firstEpoch_, uint256 epochs) {
        if (address(cai_) == address(0) || address(payments_) == address(0)) revert ZeroAddress();
        cai = cai_;
        payments = payments_;
        _epochLength = payments_.epochLength();
        if (epochs == 0 || epochs > MAX_EPOCHS) revert InvalidParameter("epochs", epochs);
        // One epoch to come at least: else it could never be funded.
        if (firstEpoch_ > type(uint32).max || firstEpoch_ + epochs - 1 <= _currentEpoch()) {
            revert InvalidParameter("firstEpoch", firstEpoch_);
        }
        firstEpoch = firstEpoch_;
        lastEpoch = firstEpoch_ + epochs - 1;
    }

    // -------------------------------------------------------------------------------------------------------------- verbs

    /// @inheritdoc IMiningRewards
    function fund(uint256 amount) external {
        if (amount == 0) revert ZeroAmount();
        uint256 current = _currentEpoch();
        if (current >= lastEpoch) revert StreamEnded(lastEpoch, current);
        (uint256 from, uint256 perEpoch) = _spreadDown(amount, current);
        emit Funded(msg.sender, amount, from, perEpoch);
        SafeERC20.safeTransferFrom(cai, msg.sender, address(this), amount);
    }

    /// @inheritdoc IMiningRewards
    function claim(uint256 epoch, address coordinator, address miner) external returns (uint256 amount) {
        amount = _claim(epoch, coordinator, miner);
        if (amount == 0) revert NothingToClaim(epoch, coordinator, miner);
    }

    /// @inheritdoc IMiningRewards
    function claimMany(Claim[] calldata claims) external returns (uint256 amount) {
        for (uint256 i; i < claims.length; ++i) {
            amount += _claim(claims[i].epoch, claims[i].coordinator, claims[i].miner);
        }
    }

    /// @inheritdoc IMiningRewards
    function recycle(uint256 epoch) external returns (uint256 amount) {
        uint256 current = _requireOver(epoch);
        // amount = floor(emission * (1 - shares that worked))
        if (!_recycled.get(epoch)) amount = emissionOf(epoch).mulDown(WAD - payments.sharesWorked(epoch));
        if (amount == 0) revert NothingToRecycle(epoch);
        _recycled.set(epoch);

        if (current < lastEpoch) {
            (uint256 from, uint256 perEpoch) = _spreadDown(amount, current);
            emit Recycled(epoch, amount, from, perEpoch);
        } else {
            uint256 burned = amount + remainder;
            remainder = 0;
            emit RemainderBurned(epoch, burned);
            cai.burn(burned);
        }
    }

    /// @dev Adds to all epochs to come, of which there is one at least. What the division leaves over waits for the next time.
    function _spreadDown(uint256 amount, uint256 current) internal returns (uint256 from, uint256 perEpoch) {
        from = Math.max(current + 1, firstEpoch);
        uint256 count = lastEpoch + 1 - from;
        amount += remainder;
        perEpoch = amount / count;
        remainder = amount - perEpoch * count;
        _emissions.push(from.toUint48(), (_emissions.latest() + perEpoch).toUint208());
    }

    /// @dev Zero where there is nothing (left) to claim.
    function _claim(uint256 epoch, address coordinator, address miner) internal returns (uint256 amount) {
        _requireOver(epoch);
        BitMaps.BitMap storage done = _claimed[coordinator][miner];
        if (done.get(epoch)) return 0;
        amount = claimable(epoch, coordinator, miner);
        if (amount == 0) return 0;
        done.set(epoch);
        emit Claimed(epoch, coordinator, miner, amount);
        SafeERC20.safeTransfer(cai, miner, amount);
    }

    function _requireOver(uint256 epoch) internal view returns (uint256 current) {
        current = _currentEpoch();
        if (epoch >= current) revert EpochNotOver(epoch, current);
    }

    function _currentEpoch() internal view returns (uint256) {
        return block.timestamp / _epochLength;
    }

    // -------------------------------------------------------------------------------------------------------------- views

    /// @inheritdoc IMiningRewards
    function emissionOf(uint256 epoch) public view returns (uint256) {
        if (epoch > lastEpoch) return 0;
        return _emissions.upperLookupRecent(epoch.toUint48());
    }

    /// @inheritdoc IMiningRewards
    function claimable(uint256 epoch, address coordinator, address miner) public view returns (uint256) {
        if (_claimed[coordinator][miner].get(epoch)) return 0;
        uint256 minerFees = payments.feesOf(epoch, coordinator, miner);
        if (minerFees == 0) return 0;
        (uint256 fees, uint256 share) = payments.workOf(epoch, coordinator);
        // claim = floor(floor(emission * share) * fees of the miner / fees of the coordinator)
        return emissionOf(epoch).mulDown(share) * minerFees / fees;
    }

    /// @inheritdoc IMiningRewards
    function claimed(uint256 epoch, address coordinator, address miner) external view returns (bool) {
        return _claimed[coordinator][miner].get(epoch);
    }

    /// @inheritdoc IMiningRewards
    function recycled(uint256 epoch) external view returns (bool) {
        return _recycled.get(epoch);
    }
}
