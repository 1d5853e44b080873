// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IStaking} from "./interfaces/IStaking.sol";

/// @title What the owner and the guardian may do to Staking: name slashers, and stop entry for a while
/// @dev The owner is a timelock. It has no way to money, shares, parameters or exits.
abstract contract StakingAdmin is IStaking, Ownable2Step {
    using SafeCast for uint256;

    // ---------------------------------------------------------------------------------------------------------- constants

    /// @notice Whole epochs that a bucket matures after its own.
    uint256 public constant MATURING_EPOCHS = 2;
    /// @notice Epochs after that of its beginning for which a hold lasts if nobody releases it. Disputes end within unbonding; this leaves
    /// them as long again.
    uint256 public constant HOLD_EPOCHS = 4;
    /// @notice The guardian's right expires at most so many seconds after deployment, for ever.
    uint256 public constant MAX_GUARDIAN_TERM = 4 * 365 days;
    /// @notice Longest pause of entry, in seconds.
    uint256 public constant MAX_PAUSE = 14 days;

    // ------------------------------------------------------------------------------------------------------------ storage

    struct Slasher {
        /// Seconds; zero for who never was one.
        uint40 activeFrom;
        bool retired;
    }

    /// @inheritdoc IStaking
    uint256 public immutable epochLength;
    uint256 internal immutable _guardianExpiry;

    address internal _guardian;
    uint40 internal _pausedUntil;
    mapping(address account => Slasher) internal _slashers;

    /// @param slashers Active at once.
    constructor(
        address owner_,
        uint256 epochLength_,
        address guardian_,
        uint256 guardianExpiry,
        address[] memory slashers
    ) Ownable(owner_) {
        if (epochLength_ == 0 || epochLength_ > 365 days) {
            revert InvalidParameter("epochLength", epochLength_);
        }
        if (guardianExpiry > block.timestamp + MAX_GUARDIAN_TERM) {
            revert InvalidParameter("guardianExpiry", guardianExpiry);
        }
        epochLength = epochLength_;
        _guardianExpiry = guardianExpiry;
        _guardian = guardian_;
        emit GuardianSet(guardian_);
        for (uint256 i; i < slashers.length; ++i) {
            _addSlasher(slashers[i], block.timestamp);
        }
    }

    // -------------------------------------------------------------------------------------------------------------- verbs

    /// @inheritdoc IStaking
    function proposeSlasher(address slasher) external onlyOwner {
        _addSlasher(slasher, block.timestamp + (MATURING_EPOCHS + 2) * epochLength);
    }

    /// @inheritdoc IStaking
    function retireSlasher(address slasher) external onlyOwner {
        Slasher storage s = _slashers[slasher];
        if (s.activeFrom == 0 || s.retired) revert SlasherUnknown(slasher);
        s.retired = true;
        emit SlasherRetired(slasher);
    }

    /// @inheritdoc IStaking
    function setGuardian(address guardian_) external onlyOwner {
        _guardian = guardian_;
        emit GuardianSet(guardian_);
    }

    /// @inheritdoc IStaking
    function pauseEntry(uint256 until) external {
        if (msg.sender != owner() && msg.sender != guardian()) {
            revert Unauthorised(msg.sender);
        }
        if (until > block.timestamp + MAX_PAUSE) revert InvalidParameter("until", until);
        _pausedUntil = until.toUint40();
        emit PauseSet(msg.sender, until);
    }

    // ----------------------------------------------------------------------------------------------------------- internal

    /// @dev An account is named once: what was retired comes back as another contract.
    function _addSlasher(address slasher, uint256 activeFrom) internal {
        if (slasher == address(0)) revert ZeroAddress();
        if (_slashers[slasher].activeFrom != 0) revert SlasherKnown(slasher);
        _slashers[slasher].activeFrom = activeFrom.toUint40();
        emit SlasherProposed(slasher, activeFrom);
    }

    function _requireOpen() internal view {
        uint256 until = _pausedUntil;
        if (block.timestamp < until) revert EntryPaused(until);
    }

    // -------------------------------------------------------------------------------------------------------------- views

    /// @inheritdoc IStaking
    function isSlasher(address account) public view returns (bool) {
        Slasher memory s = _slashers[account];
        return s.activeFrom != 0 && block.timestamp >= s.activeFrom && !s.retired;
    }

    /// @inheritdoc IStaking
    function guardian() public view returns (address) {
        return block.timestamp < _guardianExpiry ? _guardian : address(0);
    }

    /// @inheritdoc IStaking
    function pausedUntil() external view returns (uint256) {
        return _pausedUntil;
    }

    /// @inheritdoc IStaking
    function currentEpoch() public view returns (uint256) {
        return block.timestamp / epochLength;
    }

    /// @inheritdoc IStaking
    function maturityOf(uint256 epoch) public pure returns (uint256) {
        return epoch + MATURING_EPOCHS + 1;
    }
}
