// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {CAI} from "./CAI.sol";
import {IStaking} from "./interfaces/IStaking.sol";
import {Role} from "./interfaces/Messages.sol";
import {EpochHistory} from "./libraries/EpochHistory.sol";
import {Holding, Holdings} from "./libraries/Holdings.sol";

/// @title Staking
/// @notice Stake, vote, leave and be slashed, see IStaking.
/// @dev Every verb has one shape: require, convert (rounding is in the name), write, checkpoint the weight, emit, transfer.
/// CAI has no hooks, so no transfer hands control to anybody and no reentrancy guard is needed; transfers come last all the same.
contract Staking is IStaking {
    using Checkpoints for Checkpoints.Trace208;
    using EpochHistory for Checkpoints.Trace208;
    using Holdings for Holding;
    using SafeCast for uint256;

    // ---------------------------------------------------------------------------------------------------------- constants

    /// @notice Largest fraction of one slash. WAD.
    uint256 public constant MAX_SLASH = 0.5e18;
    /// @notice Largest sum of the fractions of an operator's slashes in one epoch. WAD.
    /// @dev Each fraction is of what stands when it is taken, so what is left of an epoch's slashes f1, f2... is
    /// (1 - f1)(1 - f2)... >= 1 - (f1 + f2 + ...): whatever their order, an epoch never takes more than this share of what stood at
    /// its beginning, and fractions of open disputes can be added up.
    uint256 public constant MAX_SLASH_EPOCH = 0.75e18;
    /// @notice Weight is at most so many times the operator's own stake.
    uint256 public constant WEIGHT_PER_OWN_STAKE = 10;
    /// @notice Whole epochs that a bucket matures after its own.
    uint256 public constant MATURING_EPOCHS = 2;

    // ------------------------------------------------------------------------------------------------------------ storage

    /// @dev Two slots. The operator's own shares live here and nowhere else, since every verb needs them for the weight.
    struct Pool {
        Holding stake;
        // slot 1
        uint128 ownShares;
        Role role;
        bool active;
        bool tombstoned;
        /// Sum of the fractions slashed in `slashEpoch`. WAD.
        uint64 slashedFraction;
        uint40 slashEpoch;
    }

    CAI public immutable cai;
    /// @inheritdoc IStaking
    address public immutable registry;
    /// @inheritdoc IStaking
    uint256 public immutable epochLength;
    uint256 internal immutable _minMinerStake;
    uint256 internal immutable _minCoordinatorStake;

    /// @inheritdoc IStaking
    mapping(address account => bool) public isSlasher;
    mapping(address operator => Pool) internal _pools;
    /// @dev Of everybody but the operator itself.
    mapping(address operator => mapping(address owner => uint256)) internal _shares;
    mapping(address operator => mapping(uint256 epoch => Holding)) internal _buckets;
    mapping(address operator => mapping(uint256 epoch => mapping(address owner => uint256))) internal _bucketShares;
    mapping(address operator => Checkpoints.Trace208) internal _weights;
    mapping(Role role => Checkpoints.Trace208) internal _totalWeights;

    /// @param registry_ May be the predicted address of a contract that is deployed next; that one checks that it is meant.
    /// @param slashers Active at once.
    constructor(
        CAI cai_,
        address registry_,
        uint256 epochLength_,
        uint256 minMinerStake_,
        uint256 minCoordinatorStake_,
        address[] memory slashers
    ) {
        if (address(cai_) == address(0) || registry_ == address(0)) revert ZeroAddress();
        if (epochLength_ == 0 || epochLength_ > 365 days) revert InvalidParameter("epochLength", epochLength_);
        uint256 supply = cai_.totalSupply();
        if (minMinerStake_ >= supply) revert InvalidParameter("minMinerStake", minMinerStake_);
        if (minCoordinatorStake_ >= supply) revert InvalidParameter("minCoordinatorStake", minCoordinatorStake_);
        for (uint256 i; i < slashers.length; ++i) {
            if (slashers[i] == address(0)) revert ZeroAddress();
            if (isSlasher[slashers[i]]) revert InvalidParameter("slashers", i);
            isSlasher[slashers[i]] = true;
        }
        cai = cai_;
        registry = registry_;
        epochLength = epochLength_;
        _minMinerStake = minMinerStake_;
        _minCoordinatorStake = minCoordinatorStake_;
    }

    // -------------------------------------------------------------------------------------------------- stake, vote, leave

    /// @inheritdoc IStaking
    function delegate(address operator, uint256 assets, address onBehalf) public returns (uint256 shares) {
        if (assets == 0) revert ZeroAmount();
        if (operator == address(0) || onBehalf == address(0)) revert ZeroAddress();
        Pool memory p;
        uint256 weight;
        (p, shares, weight) = _enterPool(operator, onBehalf, assets);

        emit Delegated(operator, onBehalf, msg.sender, assets, shares, p.stake.assets, p.stake.shares, weight);
        SafeERC20.safeTransferFrom(cai, msg.sender, address(this), assets);
    }

    /// @inheritdoc IStaking
    function delegateWithPermit(
        address operator,
        uint256 assets,
        address onBehalf,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external returns (uint256 shares) {
        // Whoever saw the permit may have used it already: what counts is the allowance, and the transfer checks that.
        try cai.permit(msg.sender, address(this), assets, deadline, v, r, s) {} catch {}
        return delegate(operator, assets, onBehalf);
    }

    /// @inheritdoc IStaking
    function undelegate(address operator, uint256 shares) external returns (uint256 assets) {
        if (shares == 0) revert ZeroAmount();
        uint256 held = sharesOf(operator, msg.sender);
        if (shares > held) revert InsufficientShares(msg.sender, held, shares);

        Pool memory p = _pools[operator];
        uint256 weightBefore = _weight(p);
        assets = p.stake.leaveDown(shares);
        if (assets == 0) revert AmountTooSmall(shares);
        if (msg.sender == operator) p.ownShares -= shares.toUint128();
        else _shares[operator][msg.sender] = held - shares;
        _pools[operator] = p;

        uint256 epoch = currentEpoch();
        Holding memory b = _buckets[operator][epoch];
        _bucketShares[operator][epoch][msg.sender] += b.enterDown(assets);
        _buckets[operator][epoch] = b;

        uint256 weight = _recordWeight(operator, p.role, weightBefore, _weight(p));
        emit Undelegated(operator, msg.sender, epoch, assets, shares, p.stake.assets, p.stake.shares, weight);
    }

    /// @inheritdoc IStaking
    /// @dev A matured bucket may be brought back as well: it merely spares a withdrawal and a new delegation.
    function cancelUndelegation(address operator, uint256 epoch) external returns (uint256 shares) {
        uint256 assets = _leaveBucket(operator, epoch, msg.sender);
        Pool memory p;
        uint256 weight;
        (p, shares, weight) = _enterPool(operator, msg.sender, assets);
        emit UndelegationCancelled(operator, msg.sender, epoch, assets, shares, p.stake.assets, p.stake.shares, weight);
    }

    /// @inheritdoc IStaking
    function withdraw(address operator, uint256 epoch, address owner) external returns (uint256 assets) {
        // First of all: a bucket in which there is something is of an epoch that has been, so its maturity cannot overflow.
        assets = _leaveBucket(operator, epoch, owner);
        uint256 maturity = maturityOf(epoch);
        uint256 current = currentEpoch();
        if (current < maturity) revert NotMatured(epoch, maturity, current);

        emit Withdrawn(operator, owner, epoch, assets);
        SafeERC20.safeTransfer(cai, owner, assets);
    }

    /// @dev Adds `assets` to a pool and credits the shares to `owner`.
    function _enterPool(address operator, address owner, uint256 assets)
        internal
        returns (Pool memory p, uint256 shares, uint256 weight)
    {
        p = _pools[operator];
        if (p.tombstoned) revert Tombstoned(operator);
        uint256 weightBefore = _weight(p);
        shares = p.stake.enterDown(assets);
        if (shares == 0) revert AmountTooSmall(assets);
        if (owner == operator) p.ownShares += shares.toUint128();
        else _shares[operator][owner] += shares;
        _pools[operator] = p;
        weight = _recordWeight(operator, p.role, weightBefore, _weight(p));
    }

    /// @dev Empties what `owner` has in a bucket. After slashes that can be nothing: it is cleared all the same.
    function _leaveBucket(address operator, uint256 epoch, address owner) internal returns (uint256 assets) {
        uint256 shares = _bucketShares[operator][epoch][owner];
        if (shares == 0) revert NothingToWithdraw(operator, epoch, owner);
        delete _bucketShares[operator][epoch][owner];
        Holding memory b = _buckets[operator][epoch];
        assets = b.leaveDown(shares);
        _buckets[operator][epoch] = b;
    }

    // -------------------------------------------------------------------------------------------------------------- slash

    /// @inheritdoc IStaking
    /// @dev When an epoch's limit is exhausted nothing is taken and nothing reverts: no slasher gets stuck because another came first.
    /// The operator's own shares are those in its pool and in its maturing buckets: leaving quickly must not spare it the reward.
    function slash(address operator, uint256 fraction, address recipient, uint256 reward)
        external
        returns (uint256 slashed, uint256 paid)
    {
        if (!isSlasher[msg.sender]) revert Unauthorised(msg.sender);
        if (fraction == 0 || fraction > MAX_SLASH) revert FractionOutOfRange(fraction, MAX_SLASH);

        uint256 epoch = currentEpoch();
        Pool memory p = _pools[operator];
        uint256 weightBefore = _weight(p);
        // taken fraction = min(fraction, MAX_SLASH_EPOCH - sum of this epoch's fractions)
        uint256 spent = p.slashEpoch == epoch ? p.slashedFraction : 0;
        fraction = Math.min(fraction, MAX_SLASH_EPOCH - spent);
        p.slashEpoch = epoch.toUint40();
        p.slashedFraction = (spent + fraction).toUint64();

        (uint256 fromPool, uint256 ownLoss) = p.stake.slashDown(p.ownShares, fraction);
        if (p.stake.isRuined()) p.tombstoned = true;
        _pools[operator] = p;
        (uint256 fromBuckets, uint256 ownBucketLoss) = _slashBuckets(operator, epoch, fraction);
        slashed = fromPool + fromBuckets;
        // paid = min(reward, what the operator's own shares lost / 2)
        if (recipient != address(0)) paid = Math.min(reward, (ownLoss + ownBucketLoss) / 2);

        uint256 weight = _recordWeight(operator, p.role, weightBefore, _weight(p));
        emit Slashed(
            operator,
            msg.sender,
            fraction,
            fromPool,
            fromBuckets,
            paid,
            recipient,
            p.stake.assets,
            p.stake.shares,
            weight
        );
        if (slashed != paid) cai.burn(slashed - paid);
        if (paid != 0) SafeERC20.safeTransfer(cai, recipient, paid);
    }

    /// @dev Slashes the buckets that have not matured: that of this epoch and of the two before. The only loop.
    function _slashBuckets(address operator, uint256 epoch, uint256 fraction)
        internal
        returns (uint256 lossSum, uint256 ownLossSum)
    {
        for (uint256 e = epoch - Math.min(epoch, MATURING_EPOCHS); e <= epoch; ++e) {
            Holding memory b = _buckets[operator][e];
            if (b.assets == 0) continue;
            (uint256 loss, uint256 ownLoss) = b.slashDown(_bucketShares[operator][e][operator], fraction);
            _buckets[operator][e] = b;
            lossSum += loss;
            ownLossSum += ownLoss;
        }
    }

    // ------------------------------------------------------------------------------------------------------ role and weight

    /// @inheritdoc IStaking
    function setRole(address operator, Role role, bool active) external returns (uint256 weight) {
        if (msg.sender != registry) revert Unauthorised(msg.sender);
        Pool memory p = _pools[operator];
        // Out of the old role's total, then into the new one's.
        _recordWeight(operator, p.role, _weight(p), 0);
        p.role = role;
        p.active = active;
        _pools[operator] = p;
        weight = _recordWeight(operator, role, 0, _weight(p));
        emit RoleSet(operator, role, active, weight);
    }

    /// @dev weight = min(pool assets, 10 * own stake) if active, not tombstoned and own stake > the role's minimum; else 0
    function _weight(Pool memory p) internal view returns (uint256) {
        if (!p.active || p.tombstoned) return 0;
        uint256 own = p.stake.valueDown(p.ownShares);
        if (own <= minStake(p.role)) return 0;
        return Math.min(p.stake.assets, WEIGHT_PER_OWN_STAKE * own);
    }

    /// @dev Writes a change of weight to the operator's history and to its role's. The latest entry of a history is therefore always
    /// what `_weight` says, and need not be read to know whether something changed.
    function _recordWeight(address operator, Role role, uint256 before, uint256 weight) internal returns (uint256) {
        if (before == weight) return weight;
        uint256 epoch = currentEpoch();
        _weights[operator].set(epoch, weight);
        Checkpoints.Trace208 storage total = _totalWeights[role];
        total.set(epoch, total.latest() - before + weight);
        return weight;
    }

    // -------------------------------------------------------------------------------------------------------------- views

    /// @inheritdoc IStaking
    function pool(address operator) external view returns (uint256 assets, uint256 shares) {
        Holding memory stake = _pools[operator].stake;
        return (stake.assets, stake.shares);
    }

    /// @inheritdoc IStaking
    function sharesOf(address operator, address owner) public view returns (uint256) {
        return owner == operator ? _pools[operator].ownShares : _shares[operator][owner];
    }

    /// @inheritdoc IStaking
    function assetsOf(address operator, address owner) external view returns (uint256) {
        return _pools[operator].stake.valueDown(sharesOf(operator, owner));
    }

    /// @inheritdoc IStaking
    function bucket(address operator, uint256 epoch) external view returns (uint256 assets, uint256 shares) {
        Holding memory b = _buckets[operator][epoch];
        return (b.assets, b.shares);
    }

    /// @inheritdoc IStaking
    function bucketAssetsOf(address operator, uint256 epoch, address owner) external view returns (uint256) {
        return _buckets[operator][epoch].valueDown(_bucketShares[operator][epoch][owner]);
    }

    /// @inheritdoc IStaking
    function weightOf(address operator) external view returns (uint256) {
        return _weight(_pools[operator]);
    }

    /// @inheritdoc IStaking
    function totalWeight(Role role) external view returns (uint256) {
        return _totalWeights[role].latest();
    }

    /// @inheritdoc IStaking
    function weightAt(address operator, uint256 epoch) external view returns (uint256) {
        _requireBegun(epoch);
        return _weights[operator].atStartOf(epoch);
    }

    /// @inheritdoc IStaking
    function totalWeightAt(Role role, uint256 epoch) external view returns (uint256) {
        _requireBegun(epoch);
        return _totalWeights[role].atStartOf(epoch);
    }

    function _requireBegun(uint256 epoch) internal view {
        uint256 current = currentEpoch();
        if (epoch > current) revert FutureEpoch(epoch, current);
    }

    /// @inheritdoc IStaking
    /// @dev No stake suffices for no role.
    function minStake(Role role) public view returns (uint256) {
        if (role == Role.Miner) return _minMinerStake;
        if (role == Role.Coordinator) return _minCoordinatorStake;
        return type(uint256).max;
    }

    /// @inheritdoc IStaking
    function isTombstoned(address operator) external view returns (bool) {
        return _pools[operator].tombstoned;
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
