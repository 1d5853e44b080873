// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The mining stream: pays miners for work that coordinators paid for.
/// @notice Each epoch's emission is divided among the coordinators by their weight when it began, and what falls to a coordinator among the miners
/// that collected fees from it in that epoch, by these fees. So trade between friends earns no more than the coordinator's share, whatever its volume.
/// What falls to coordinators without work goes back to the epochs to come.
/// @dev Epochs are those of Staking. Amounts are CAI wei; `coordinator` and `miner` are operators, `epoch` counts as in Staking,
/// `current` is that of now, `caller` who called. Every division rounds down.
/// @custom:reverts-packages CheckpointUnorderedInsertion, SafeCastOverflowedUintDowncast, SafeERC20FailedOperation
interface IMiningRewards {
    /// @notice An amount of nothing.
    error ZeroAmount();
    /// @notice The zero address was given.
    error ZeroAddress();
    /// @notice The stream has no epochs to come: the last is `last`.
    error StreamEnded(uint256 last, uint256 current);
    /// @notice An epoch is claimed and recycled when it is over; this one is not.
    error EpochNotOver(uint256 epoch, uint256 current);
    /// @notice The miner earned nothing with this coordinator in this epoch, or has it already.
    error NothingToClaim(uint256 epoch, address coordinator, address miner);
    /// @notice Work earned all that this epoch emitted, or the rest went back already.
    error NothingToRecycle(uint256 epoch);
    /// @notice A constructor argument outside its bounds: `name` is `value`.
    error InvalidParameter(string name, uint256 value);

    /// @notice `amount` was added to the stream: each epoch from `from` to the last emits `perEpoch` more.
    event Funded(address indexed caller, uint256 amount, uint256 from, uint256 perEpoch);
    /// @notice `amount` was paid to the miner for its work for the coordinator in `epoch`, which is all that it gets for it. No totals:
    /// what was paid for an epoch is the sum of its `Claimed`, and what it emits that of `perEpoch` in all `Funded` and `Recycled` whose
    /// `from` is not later.
    event Claimed(uint256 indexed epoch, address indexed coordinator, address indexed miner, uint256 amount);
    /// @notice `amount` of what `epoch` emitted was earned by nobody's work: each epoch from `from` to the last emits `perEpoch` more.
    event Recycled(uint256 indexed epoch, uint256 amount, uint256 from, uint256 perEpoch);
    /// @notice The same when there are no epochs to come: `burned` is gone, with what earlier divisions had left over.
    event RemainderBurned(uint256 indexed epoch, uint256 burned);

    /// @notice What one miner earned with one coordinator in one epoch, for `claimMany`.
    struct Claim {
        uint256 epoch;
        address coordinator;
        address miner;
    }

    /// @notice Adds `amount` CAI wei of the caller to the stream, in equal parts for each epoch after the current one.
    /// @param amount CAI wei, approved to this contract.
    /// @custom:caller Anybody.
    /// @custom:reverts StreamEnded, ZeroAmount, those of IERC20.transferFrom
    function fund(uint256 amount) external;

    /// @notice Pays a miner what it earned with a coordinator in an epoch that is over: emission x the coordinator's share x the miner's part of
    /// the fees that the coordinator paid. Once; to the miner's operator, whoever calls.
    /// @param epoch One that is over.
    /// @param coordinator Who paid for the work.
    /// @param miner Who did it, and is paid.
    /// @return amount CAI wei.
    /// @custom:caller Anybody.
    /// @custom:reverts EpochNotOver, NothingToClaim, those of IERC20.transfer
    function claim(uint256 epoch, address coordinator, address miner) external returns (uint256 amount);

    /// @notice `claim` for several; those that earned nothing or have it already are skipped, an epoch that is not over reverts all.
    /// @param claims In any order.
    /// @return amount CAI wei to all miners together.
    /// @custom:caller Anybody.
    /// @custom:reverts EpochNotOver, those of IERC20.transfer
    function claimMany(Claim[] calldata claims) external returns (uint256 amount);

    /// @notice Gives what nobody's work earned in an epoch that is over, emission x (1 - sum of the shares that worked), to the epochs after the
    /// current one. Once. When there are none it is burned, so nobody gains by letting an epoch pass.
    /// @param epoch One that is over.
    /// @return amount CAI wei.
    /// @custom:caller Anybody.
    /// @custom:reverts EpochNotOver, NothingToRecycle, those of ERC20Burnable.burn
    function recycle(uint256 epoch) external returns (uint256 amount);

    /// @notice CAI wei that `epoch` emits. Final once the epoch before it is over.
    function emissionOf(uint256 epoch) external view returns (uint256);

    /// @notice CAI wei that `claim` would pay if the epoch is over; what it would be by now if it is not.
    function claimable(uint256 epoch, address coordinator, address miner) external view returns (uint256);

    /// @notice Whether the miner was paid for this epoch and coordinator.
    function claimed(uint256 epoch, address coordinator, address miner) external view returns (bool);

    /// @notice Whether what nobody earned in this epoch went back.
    function recycled(uint256 epoch) external view returns (bool);

    /// @notice CAI wei left over by divisions, fewer than there are epochs to come: added to what is funded or recycled next.
    function remainder() external view returns (uint256);

    /// @notice The first epoch that emits.
    function firstEpoch() external view returns (uint256);

    /// @notice The last epoch that emits.
    function lastEpoch() external view returns (uint256);
}
