// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {CAI} from "./CAI.sol";
import {StakingAdmin} from "./StakingAdmin.sol";
import {IStaking} from "./interfaces/IStaking.sol";
import {Role} from "./interfaces/Messages.sol";
import {Bucket, Buckets, Draws} from "./libraries/Buckets.sol";
import {EpochRing} from "./libraries/EpochRing.sol";
import {Pool, Pools} from "./libraries/Pools.sol";
import {SharesMath} from "./libraries/SharesMath.sol";
import {Stream, Streams} from "./libraries/Streams.sol";
import {Wad} from "./libraries/Wad.sol";

/// @title What Staking keeps, how a pool is opened and closed, and what can be seen of it
/// @dev Staking has the verbs.
abstract contract StakingState is StakingAdmin {
    using Buckets for Bucket;
    using EpochRing for EpochRing.Ring;
    using Pools for Pool;
    using SafeCast for uint256;
    using Streams for Stream;
    using Wad for uint256;

    // ---------------------------------------------------------------------------------------------------------- constants

    /// @notice Largest fraction of one slash. WAD.
    uint256 public constant MAX_SLASH = 0.5e18;
    /// @notice Largest sum of the fractions of an operator's slashes in one epoch, and of what disputes hold back. WAD.
    /// @dev Each fraction is of what stands when it is taken, so what is left of an epoch's slashes f1, f2... is
    /// (1 - f1)(1 - f2)... >= 1 - (f1 + f2 + ...): whatever their order, an epoch never takes more than this share of what stood at
    /// its beginning, and fractions of open disputes can be added up.
    uint256 public constant MAX_SLASH_EPOCH = 0.75e18;
    /// @notice Weight is at most so many times the operator's own stake.
    uint256 public constant WEIGHT_PER_OWN_STAKE = Pools.WEIGHT_PER_OWN_STAKE;
    /// @notice Own stake that a role needs is at least this, in CAI wei (some 74 CAI): so that the reward stream's numbers have room, see Stream.
    uint256 public constant LEAST_MIN_STAKE = 2 ** 66;
    /// @notice Weights of at least so many epochs in which they changed are remembered.
    uint256 public constant WEIGHT_MEMORY = EpochRing.SIZE;

    // ------------------------------------------------------------------------------------------------------------ storage

    /// @dev What only some verbs need of an operator. One slot.
    struct Record {
        /// Sum of the fractions slashed in `slashEpoch`. WAD.
        uint64 slashedFraction;
        uint32 slashEpoch;
        /// Of the latest hold: no withdrawal need look for holds long after it.
        uint32 holdEpoch;
        uint40 jailedUntil;
        /// A rise of the commission that waits; in parts of `Pools.COMMISSION_UNIT`.
        uint32 announced;
        /// Seconds; zero if none waits.
        uint40 announcedFrom;
    }

    /// @dev Sum of the weights of each role now. One slot.
    struct Totals {
        uint96 miners;
        uint96 coordinators;
        /// Of the last change.
        uint32 epoch;
        /// Where the next word of the history goes.
        uint8 historyNext;
    }

    /// @notice The token that is staked.
    CAI public immutable cai;
    /// @inheritdoc IStaking
    address public immutable registry;
    /// @inheritdoc IStaking
    address public immutable payments;
    /// @inheritdoc IStaking
    uint256 public immutable rewardPeriod;
    uint256 internal immutable _minMinerStake;
    uint256 internal immutable _minCoordinatorStake;

    Stream internal _stream;
    Totals internal _totals;
    /// @dev value = miners << 96 | coordinators
    EpochRing.Ring internal _totalsHistory;
    mapping(address operator => Pool) internal _pools;
    mapping(address operator => Record) internal _records;
    /// @dev Of everybody but the operator itself.
    mapping(address operator => mapping(address owner => uint256)) internal _shares;
    mapping(address operator => EpochRing.Ring) internal _weightHistory;
    mapping(address operator => mapping(uint256 epoch => Bucket)) internal _buckets;
    mapping(address operator => mapping(uint256 epoch => mapping(address owner => uint256))) internal _bucketShares;
    mapping(address operator => mapping(uint256 epoch => Draws)) internal _draws;
    mapping(address operator => mapping(uint256 epoch => mapping(address owner => uint256))) internal _drawn;
    /// @dev Sum of the fractions held back for disputes that opened in an epoch. WAD.
    mapping(address operator => mapping(uint256 epoch => uint256)) internal _held;
    /// @dev Of these sums, what each slasher holds: nobody ends or uses up another's hold.
    mapping(address slasher => mapping(address operator => mapping(uint256 epoch => uint256))) internal _heldBy;

    /// @param registry_ And `payments_` may be predicted addresses of contracts that are deployed next; those check that they are meant.
    /// @param owner_ A timelock.
    /// @param slashers Active at once.
    constructor(
        CAI cai_,
        address registry_,
        address payments_,
        address owner_,
        Parameters memory p,
        address[] memory slashers
    ) StakingAdmin(owner_, p.epochLength, p.guardian, p.guardianExpiry, slashers) {
        if (address(cai_) == address(0) || registry_ == address(0) || payments_ == address(0)) revert ZeroAddress();
        uint256 supply = cai_.totalSupply();
        if (p.minMinerStake < LEAST_MIN_STAKE || p.minMinerStake >= supply) {
            revert InvalidParameter("minMinerStake", p.minMinerStake);
        }
        if (p.minCoordinatorStake < LEAST_MIN_STAKE || p.minCoordinatorStake >= supply) {
            revert InvalidParameter("minCoordinatorStake", p.minCoordinatorStake);
        }
        if (p.rewardPeriod < 1 days || p.rewardPeriod > 36_525 days) {
            revert InvalidParameter("rewardPeriod", p.rewardPeriod);
        }
        cai = cai_;
        registry = registry_;
        payments = payments_;
        rewardPeriod = p.rewardPeriod;
        _minMinerStake = p.minMinerStake;
        _minCoordinatorStake = p.minCoordinatorStake;
    }

    // ---------------------------------------------------------------------------------------------------- pool and weight

    /// @dev Loads a pool and adds what the stream owes it.
    /// @return p The pool, to be changed and then closed.
    /// @return before Its weight as it is written in the totals.
    function _open(address operator) internal returns (Pool memory p, uint256 before) {
        p = _pools[operator];
        before = p.weight(minStake(p.role));
        if (before == 0) return (p, 0);
        Stream memory s = _streamNow();
        _stream = s;
        (uint256 reward, uint256 commissionShares) = _earn(p, before, s);
        if (reward == 0) return (p, before);
        emit Rewarded(operator, reward, commissionShares, p.assets, p.shares, p.weight(minStake(p.role)));
    }

    /// @dev Writes a pool, and a change of its weight to the totals and both histories. What the totals say of an operator is therefore
    /// always what `Pools.weight` says of its stored pool.
    function _close(address operator, Pool memory p, uint256 before) internal returns (uint256 weight) {
        weight = p.weight(minStake(p.role));
        if (before != weight) {
            if (before == 0) {
                Stream memory s = _streamNow();
                _stream = s;
                p.perWeightPaid = s.perWeight;
            }
            uint256 epoch = currentEpoch();
            if (p.weightEpoch != epoch) {
                p.historyNext = _weightHistory[operator].push(p.historyNext, p.weightEpoch, before);
                p.weightEpoch = epoch.toUint32();
            }
            _changeTotal(p.role, epoch, before, weight);
        }
        _pools[operator] = p;
    }

    function _changeTotal(Role role, uint256 epoch, uint256 before, uint256 weight) internal {
        Totals memory t = _totals;
        if (t.epoch != epoch) {
            t.historyNext =
                _totalsHistory.push(t.historyNext, t.epoch, uint256(t.miners) << 96 | uint256(t.coordinators));
            t.epoch = epoch.toUint32();
        }
        if (role == Role.Miner) t.miners = (t.miners + weight - before).toUint96();
        else t.coordinators = (t.coordinators + weight - before).toUint96();
        _totals = t;
    }

    /// @dev Adds to a pool in memory what it earned with `weight` until `s` is reckoned.
    function _earn(Pool memory p, uint256 weight, Stream memory s)
        internal
        pure
        returns (uint256 reward, uint256 commissionShares)
    {
        reward = s.earnedDown(weight, p.perWeightPaid);
        p.perWeightPaid = s.perWeight;
        commissionShares = p.reward(reward);
    }

    function _streamNow() internal view returns (Stream memory s) {
        s = _stream;
        Totals memory t = _totals;
        s.advance(uint256(t.miners) + t.coordinators);
    }

    // -------------------------------------------------------------------------------------------------------------- views

    /// @dev The pool as the next verb would find it.
    function _poolNow(address operator) internal view returns (Pool memory p, uint256 pending) {
        p = _pools[operator];
        uint256 weight = p.weight(minStake(p.role));
        if (weight != 0) (pending,) = _earn(p, weight, _streamNow());
    }

    /// @inheritdoc IStaking
    function pool(address operator) external view returns (uint256 assets, uint256 shares) {
        (Pool memory p,) = _poolNow(operator);
        return (p.assets, p.shares);
    }

    /// @inheritdoc IStaking
    function sharesOf(address operator, address owner) external view returns (uint256) {
        if (owner != operator) return _shares[operator][owner];
        (Pool memory p,) = _poolNow(operator);
        return p.ownShares;
    }

    /// @inheritdoc IStaking
    function assetsOf(address operator, address owner) external view returns (uint256) {
        (Pool memory p,) = _poolNow(operator);
        uint256 shares = owner == operator ? p.ownShares : _shares[operator][owner];
        return SharesMath.toAssetsDown(shares, p.assets, p.shares);
    }

    /// @inheritdoc IStaking
    function pendingRewards(address operator) external view returns (uint256 pending) {
        (, pending) = _poolNow(operator);
    }

    /// @inheritdoc IStaking
    function rewardStream() external view returns (uint256 rate, uint256 endsAt) {
        Stream memory s = _streamNow();
        return (s.rate, s.endsAt);
    }

    /// @inheritdoc IStaking
    function commissionOf(address operator)
        external
        view
        returns (uint256 commission, uint256 announced, uint256 from)
    {
        Record memory r = _records[operator];
        commission = _pools[operator].commission * Pools.COMMISSION_UNIT;
        return (commission, r.announced * Pools.COMMISSION_UNIT, r.announcedFrom);
    }

    /// @inheritdoc IStaking
    function bucket(address operator, uint256 epoch) external view returns (uint256 assets, uint256 shares) {
        Bucket memory b = _buckets[operator][epoch];
        return (b.assets - _draws[operator][epoch].assets, b.shares);
    }

    /// @inheritdoc IStaking
    function bucketAssetsOf(address operator, uint256 epoch, address owner) external view returns (uint256) {
        uint256 value = _buckets[operator][epoch].valueDown(_bucketShares[operator][epoch][owner]);
        return Math.saturatingSub(value, _drawn[operator][epoch][owner]);
    }

    /// @inheritdoc IStaking
    function withdrawable(address operator, uint256 epoch, address owner) external view returns (uint256) {
        if (currentEpoch() < maturityOf(epoch)) return 0;
        uint256 value = _buckets[operator][epoch].valueDown(_bucketShares[operator][epoch][owner]);
        uint256 free = value - value.mulUp(heldFraction(operator, epoch));
        return Math.saturatingSub(free, _drawn[operator][epoch][owner]);
    }

    /// @inheritdoc IStaking
    /// @dev held = min(MAX_SLASH_EPOCH, sum over the epochs that began before the bucket matured, and in which holds have not expired)
    function heldFraction(address operator, uint256 epoch) public view returns (uint256 held) {
        uint256 current = currentEpoch();
        if (current < maturityOf(epoch) || current > _records[operator].holdEpoch + HOLD_EPOCHS) return 0;
        for (uint256 e = Math.saturatingSub(current, HOLD_EPOCHS); e < maturityOf(epoch); ++e) {
            held += _held[operator][e];
        }
        return Math.min(held, MAX_SLASH_EPOCH);
    }

    /// @inheritdoc IStaking
    function weightOf(address operator) external view returns (uint256) {
        Pool memory p = _pools[operator];
        return p.weight(minStake(p.role));
    }

    /// @inheritdoc IStaking
    function totalWeight(Role role) public view returns (uint256) {
        if (role == Role.None) return 0;
        return role == Role.Miner ? _totals.miners : _totals.coordinators;
    }

    /// @inheritdoc IStaking
    function weightAt(address operator, uint256 epoch) external view returns (uint256) {
        _requireBegun(epoch);
        Pool memory p = _pools[operator];
        if (p.weightEpoch < epoch) return p.weight(minStake(p.role));
        return _remembered(_weightHistory[operator], p.historyNext, epoch);
    }

    /// @inheritdoc IStaking
    function totalWeightAt(Role role, uint256 epoch) external view returns (uint256) {
        _requireBegun(epoch);
        Totals memory t = _totals;
        if (t.epoch < epoch) return totalWeight(role);
        uint256 both = _remembered(_totalsHistory, t.historyNext, epoch);
        if (role == Role.None) return 0;
        return role == Role.Miner ? both >> 96 : both & type(uint96).max;
    }

    function _requireBegun(uint256 epoch) internal view {
        uint256 current = currentEpoch();
        if (epoch > current) revert FutureEpoch(epoch, current);
    }

    function _remembered(EpochRing.Ring storage ring, uint256 next, uint256 epoch) internal view returns (uint256) {
        (bool known, uint256 value) = ring.atStartOf(next, epoch);
        if (!known) revert ForgottenEpoch(epoch);
        return value;
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
    function jailStatus(address operator) external view returns (bool jailed, uint256 jailedUntil) {
        return (_pools[operator].jailed, _records[operator].jailedUntil);
    }
}
