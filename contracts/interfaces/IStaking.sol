// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Role} from "./Messages.sol";

/// @title Stake, vote, leave and be slashed.
/// @notice One pool an operator: whoever delegates to it, the operator itself included, holds shares of its assets.
/// @dev Every conversion rounds against the caller. Times are block timestamps cut into epochs of `epochLength` seconds.
/// Events carry the totals after the verb: `poolAssets`, `poolShares` and `weight`, so that an indexer needs no calls.
interface IStaking {
    /// @notice The caller is not the contract that may do this.
    error Unauthorised(address caller);
    /// @notice An amount of nothing.
    error ZeroAmount();
    /// @notice The zero address was given.
    error ZeroAddress();
    /// @notice The amount converts to no share, or to no asset.
    error AmountTooSmall(uint256 amount);
    /// @notice `owner` holds fewer shares than it wants to use.
    error InsufficientShares(address owner, uint256 available, uint256 required);
    /// @notice The pool lost more than 99% of a share's first price: no new stake, exits stay open.
    error Tombstoned(address operator);
    /// @notice The bucket can be withdrawn from epoch `maturity` on.
    error NotMatured(uint256 epoch, uint256 maturity, uint256 current);
    /// @notice Nothing of `owner` waits in this bucket.
    error NothingToWithdraw(address operator, uint256 epoch, address owner);
    /// @notice A slash of a fraction that is zero or above the limit of one incident. WAD.
    error FractionOutOfRange(uint256 fraction, uint256 limit);
    /// @notice The epoch of a past weight has not begun yet.
    error FutureEpoch(uint256 epoch, uint256 current);
    /// @notice A constructor argument outside its bounds.
    error InvalidParameter(string name, uint256 value);

    event Delegated(
        address indexed operator,
        address indexed owner,
        address caller,
        uint256 assets,
        uint256 shares,
        uint256 poolAssets,
        uint256 poolShares,
        uint256 weight
    );
    event Undelegated(
        address indexed operator,
        address indexed owner,
        uint256 indexed epoch,
        uint256 assets,
        uint256 shares,
        uint256 poolAssets,
        uint256 poolShares,
        uint256 weight
    );
    event UndelegationCancelled(
        address indexed operator,
        address indexed owner,
        uint256 indexed epoch,
        uint256 assets,
        uint256 shares,
        uint256 poolAssets,
        uint256 poolShares,
        uint256 weight
    );
    event Withdrawn(address indexed operator, address indexed owner, uint256 indexed epoch, uint256 assets);
    event Slashed(
        address indexed operator,
        address indexed slasher,
        uint256 fraction,
        uint256 fromPool,
        uint256 fromBuckets,
        uint256 paid,
        address recipient,
        uint256 poolAssets,
        uint256 poolShares,
        uint256 weight
    );
    /// @notice The operator entered a role, or left it (`active` false).
    event RoleSet(address indexed operator, Role role, bool active, uint256 weight);

    /// @notice Stakes `assets` CAI of the caller behind `operator`; the shares belong to `onBehalf`. For oneself it is staking,
    /// for another a vote.
    /// @param assets CAI wei, approved to this contract.
    /// @return shares Minted, rounded down.
    function delegate(address operator, uint256 assets, address onBehalf) external returns (uint256 shares);

    /// @notice `delegate` with an EIP-2612 permit. A permit that somebody used first is no error if the allowance suffices.
    function delegateWithPermit(
        address operator,
        uint256 assets,
        address onBehalf,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external returns (uint256 shares);

    /// @notice Moves the caller's `shares` out of the pool into the bucket of the current epoch, where they mature and stay slashable.
    /// @return assets Moved, in CAI wei, rounded down.
    function undelegate(address operator, uint256 shares) external returns (uint256 assets);

    /// @notice Brings what the caller has in a bucket back into the pool, at the bucket's value and the pool's price of now.
    function cancelUndelegation(address operator, uint256 epoch) external returns (uint256 shares);

    /// @notice Pays out what `owner` has in a matured bucket, to `owner`. Anybody may call.
    /// @return assets Paid in CAI wei, rounded down.
    function withdraw(address operator, uint256 epoch, address owner) external returns (uint256 assets);

    /// @notice Takes `fraction` of the pool and of every bucket that has not matured. Slashers only.
    /// @param fraction WAD, at most `MAX_SLASH`; cut so that one epoch's slashes stay within `MAX_SLASH_EPOCH`.
    /// @param recipient Gets up to `reward`, the rest is burned.
    /// @param reward CAI wei wished for `recipient`; cut to half of what the operator's own shares lost, so that slashing oneself never pays.
    /// @return slashed CAI wei taken. @return paid CAI wei of it that `recipient` got.
    function slash(address operator, uint256 fraction, address recipient, uint256 reward)
        external
        returns (uint256 slashed, uint256 paid);

    /// @notice Sets what role an operator has and whether it is active in it. Registry only.
    /// @return weight After the change.
    function setRole(address operator, Role role, bool active) external returns (uint256 weight);

    /// @notice Pool assets (CAI wei) and shares of an operator.
    function pool(address operator) external view returns (uint256 assets, uint256 shares);

    /// @notice Shares of `owner` in the pool of `operator`.
    function sharesOf(address operator, address owner) external view returns (uint256);

    /// @notice CAI wei that `owner`'s shares in `operator`'s pool are worth, rounded down.
    function assetsOf(address operator, address owner) external view returns (uint256);

    /// @notice Assets and shares of the bucket of `epoch`.
    function bucket(address operator, uint256 epoch) external view returns (uint256 assets, uint256 shares);

    /// @notice CAI wei that `owner` has in the bucket of `epoch`, rounded down.
    function bucketAssetsOf(address operator, uint256 epoch, address owner) external view returns (uint256);

    /// @notice min(pool assets, 10 x own stake) of an active operator whose own stake is above its role's minimum, else zero.
    function weightOf(address operator) external view returns (uint256);

    /// @notice Sum of `weightOf` over a role.
    function totalWeight(Role role) external view returns (uint256);

    /// @notice Weight at the start of `epoch`.
    function weightAt(address operator, uint256 epoch) external view returns (uint256);

    /// @notice Sum of a role's weights at the start of `epoch`.
    function totalWeightAt(Role role, uint256 epoch) external view returns (uint256);

    /// @notice Own stake must be strictly more than this, in CAI wei.
    function minStake(Role role) external view returns (uint256);

    /// @notice True once a share is worth less than 1% of its first price.
    function isTombstoned(address operator) external view returns (bool);

    /// @notice Whether `account` may slash.
    function isSlasher(address account) external view returns (bool);

    /// @notice The epoch of now: block.timestamp / epochLength.
    function currentEpoch() external view returns (uint256);

    /// @notice First epoch in which a bucket of `epoch` can be withdrawn: two whole epochs later.
    function maturityOf(uint256 epoch) external pure returns (uint256);

    /// @notice Seconds.
    function epochLength() external view returns (uint256);

    /// @notice The contract that sets roles.
    function registry() external view returns (address);
}
