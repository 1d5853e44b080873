// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {CAI} from "./CAI.sol";
import {StakingState} from "./StakingState.sol";
import {IPayments} from "./interfaces/IPayments.sol";
import {IStaking} from "./interfaces/IStaking.sol";
import {Role} from "./interfaces/Messages.sol";
import {Bucket, Buckets, Draws} from "./libraries/Buckets.sol";
import {Pool, Pools} from "./libraries/Pools.sol";
import {Stream, Streams} from "./libraries/Streams.sol";
import {Wad} from "./libraries/Wad.sol";

/// @title Staking
/// @notice Stake, vote, earn, leave and be slashed, see IStaking.
/// @dev Every verb on a pool has one shape: require, open (load the pool, add what the stream owes it), convert (rounding is in the name),
/// close (write the pool and its weight), emit, transfer. CAI has no hooks, so no transfer hands control to anybody and no reentrancy
/// guard is needed; transfers come last all the same.
contract Staking is StakingState {
    using Buckets for Bucket;
    using Pools for Pool;
    using SafeCast for uint256;
    using Streams for Stream;
    using Wad for uint256;

    /// @dev See StakingState.
    constructor(
        CAI cai_,
        address registry_,
        address payments_,
        address owner_,
        Parameters memory p,
        address[] memory slashers
    ) StakingState(cai_, registry_, payments_, owner_, p, slashers) {}

    // -------------------------------------------------------------------------------------------------- stake, vote, leave

    /// @inheritdoc IStaking
    function delegate(address operator, uint256 assets, address onBehalf) public returns (uint256 shares) {
        if (assets == 0) revert ZeroAmount();
        if (operator == address(0) || onBehalf == address(0)) revert ZeroAddress();
        _requireOpen();
        Pool memory p;
        uint256 weight;
        (p, shares, weight) = _enterPool(operator, onBehalf, assets);

        emit Delegated(operator, onBehalf, msg.sender, assets, shares, p.assets, p.shares, weight);
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
        (Pool memory p, uint256 before) = _open(operator);
        uint256 held = msg.sender == operator ? p.ownShares : _shares[operator][msg.sender];
        if (shares > held) revert InsufficientShares(msg.sender, held, shares);

        assets = p.leaveDown(shares);
        if (assets == 0) revert AmountTooSmall(shares);
        if (msg.sender == operator) _leaveOwn(p, operator, shares);
        else _shares[operator][msg.sender] = held - shares;
        uint256 weight = _close(operator, p, before);
        uint256 epoch = currentEpoch();
        _enterBucket(operator, epoch, msg.sender, assets);

        emit Undelegated(operator, msg.sender, epoch, assets, shares, p.assets, p.shares, weight);
    }

    /// @inheritdoc IStaking
    function cancelUndelegation(address operator, uint256 epoch) external returns (uint256 shares) {
        uint256 owned = _bucketShares[operator][epoch][msg.sender];
        if (owned == 0) revert NothingToWithdraw(operator, epoch, msg.sender);
        uint256 current = currentEpoch();
        if (current >= maturityOf(epoch)) revert AlreadyMatured(epoch, maturityOf(epoch), current);

        uint256 assets = _leaveBucket(operator, epoch, msg.sender, owned);
        Pool memory p;
        uint256 weight;
        (p, shares, weight) = _enterPool(operator, msg.sender, assets);
        emit UndelegationCancelled(operator, msg.sender, epoch, assets, shares, p.assets, p.shares, weight);
    }

    /// @inheritdoc IStaking
    function withdraw(address operator, uint256 epoch, address owner) external returns (uint256 assets) {
        // First of all: a bucket in which there is something is of an epoch that has been, so its maturity cannot overflow.
        uint256 owned = _bucketShares[operator][epoch][owner];
        if (owned == 0) revert NothingToWithdraw(operator, epoch, owner);
        uint256 current = currentEpoch();
        if (current < maturityOf(epoch)) revert NotMatured(epoch, maturityOf(epoch), current);

        uint256 held = heldFraction(operator, epoch);
        if (held == 0) assets = _leaveBucket(operator, epoch, owner, owned);
        else assets = _drawDown(operator, epoch, owner, owned, held);

        emit Withdrawn(operator, owner, epoch, assets);
        SafeERC20.safeTransfer(cai, owner, assets);
    }

    /// @dev Adds `assets` to a pool and credits the shares to `owner`.
    function _enterPool(address operator, address owner, uint256 assets)
        internal
        returns (Pool memory p, uint256 shares, uint256 weight)
    {
        uint256 before;
        (p, before) = _open(operator);
        if (p.tombstoned) revert Tombstoned(operator);
        shares = p.enterDown(assets);
        if (shares == 0) revert AmountTooSmall(assets);
        if (owner == operator) p.ownShares += shares.toUint120();
        else _shares[operator][owner] += shares;
        weight = _close(operator, p, before);
    }

    /// @dev A coordinator's own stake cannot leave while it backs vouchers: else it would be gone before a payee's notice ends. How much
    /// it backs is the coordinator's own choice, and taken back by notice.
    function _leaveOwn(Pool memory p, address operator, uint256 shares) internal view {
        p.ownShares -= shares.toUint120();
        if (p.role != Role.Coordinator) return;
        uint256 backing = IPayments(payments).backingOf(operator);
        uint256 left = p.ownValueDown();
        if (left < backing) revert StakeBacksVouchers(operator, backing, left);
    }

    /// @dev Adds `assets` to a bucket that has not matured and credits the shares to `owner`.
    function _enterBucket(address operator, uint256 epoch, address owner, uint256 assets) internal {
        Bucket memory b = _buckets[operator][epoch];
        _bucketShares[operator][epoch][owner] += b.enterDown(assets);
        _buckets[operator][epoch] = b;
    }

    /// @dev Empties what `owner` has in a bucket, less what it drew early. After slashes that can be nothing: it is cleared all the same.
    function _leaveBucket(address operator, uint256 epoch, address owner, uint256 owned)
        internal
        returns (uint256 assets)
    {
        delete _bucketShares[operator][epoch][owner];
        Bucket memory b = _buckets[operator][epoch];
        assets = b.leaveDown(owned);
        _buckets[operator][epoch] = b;
        if (!b.drawn) return assets;
        // Not more than it was worth: roundings can leave a wei less than was drawn.
        uint256 drawn = Math.min(_drawn[operator][epoch][owner], assets);
        delete _drawn[operator][epoch][owner];
        _draws[operator][epoch].assets -= drawn.toUint96();
        assets -= drawn;
    }

    /// @dev Takes out what open disputes leave free, rounded down: floor(value - value * held), less what was drawn before.
    function _drawDown(address operator, uint256 epoch, address owner, uint256 owned, uint256 held)
        internal
        returns (uint256 assets)
    {
        Bucket memory b = _buckets[operator][epoch];
        uint256 value = b.valueDown(owned);
        uint256 free = value - value.mulUp(held);
        uint256 drawn = _drawn[operator][epoch][owner];
        if (free <= drawn || msg.sender != owner) revert HeldBack(operator, epoch, owner, held);
        assets = free - drawn;
        _drawn[operator][epoch][owner] = free;
        _draws[operator][epoch].assets += assets.toUint96();
        _buckets[operator][epoch].drawn = true;
    }

    // --------------------------------------------------------------------------------------------------------------- earn

    /// @inheritdoc IStaking
    function fundRewards(uint256 amount) external {
        Stream memory s = _streamNow();
        if (s.fundDown(amount, rewardPeriod) == 0) revert AmountTooSmall(amount);
        _stream = s;
        emit RewardsFunded(msg.sender, amount, s.rate, s.endsAt);
        SafeERC20.safeTransferFrom(cai, msg.sender, address(this), amount);
    }

    /// @inheritdoc IStaking
    function accrue(address operator) external returns (uint256 assets) {
        uint256 stored = _pools[operator].assets;
        (Pool memory p, uint256 before) = _open(operator);
        _close(operator, p, before);
        return p.assets - stored;
    }

    /// @inheritdoc IStaking
    function setCommission(uint256 commission) external {
        if (commission > 1e18 || commission % Pools.COMMISSION_UNIT != 0) revert InvalidCommission(commission);
        (Pool memory p, uint256 before) = _open(msg.sender);
        uint32 units = (commission / Pools.COMMISSION_UNIT).toUint32();
        Record storage r = _records[msg.sender];
        if (units > p.commission) {
            uint256 from = block.timestamp + epochLength;
            (r.announced, r.announcedFrom) = (units, from.toUint40());
            emit CommissionAnnounced(msg.sender, commission, from);
        } else {
            p.commission = units;
            (r.announced, r.announcedFrom) = (0, 0);
            emit CommissionSet(msg.sender, commission);
        }
        _close(msg.sender, p, before);
    }

    /// @inheritdoc IStaking
    function applyCommission(address operator) external {
        Record storage r = _records[operator];
        uint256 from = r.announcedFrom;
        if (from == 0 || block.timestamp < from) revert CommissionNotDue(operator, from, block.timestamp);
        (Pool memory p, uint256 before) = _open(operator);
        p.commission = r.announced;
        (r.announced, r.announcedFrom) = (0, 0);
        emit CommissionSet(operator, p.commission * Pools.COMMISSION_UNIT);
        _close(operator, p, before);
    }

    // ----------------------------------------------------------------------------------------------- hold back, slash, jail

    /// @inheritdoc IStaking
    function hold(address operator, uint256 fraction) external returns (uint256 epoch) {
        if (!isSlasher(msg.sender)) revert Unauthorised(msg.sender);
        _requireOpen();
        _requireFraction(fraction);
        epoch = currentEpoch();
        uint256 held = _held[operator][epoch] + fraction;
        _held[operator][epoch] = held;
        _heldBy[msg.sender][operator][epoch] += fraction;
        _records[operator].holdEpoch = epoch.toUint32();
        emit Held(operator, msg.sender, epoch, fraction, held);
    }

    /// @inheritdoc IStaking
    function release(address operator, uint256 fraction, uint256 epoch) external {
        if (fraction == 0) revert ZeroAmount();
        uint256 held = _heldBy[msg.sender][operator][epoch];
        if (held < fraction) revert NotHeld(operator, epoch, held, fraction);
        _release(operator, fraction, epoch);
    }

    function _release(address operator, uint256 fraction, uint256 epoch) internal {
        uint256 held = _held[operator][epoch] - fraction;
        _held[operator][epoch] = held;
        _heldBy[msg.sender][operator][epoch] -= fraction;
        emit Released(operator, msg.sender, epoch, fraction, held);
    }

    /// @inheritdoc IStaking
    /// @dev When an epoch's limit is exhausted nothing is taken and nothing reverts: no slasher gets stuck because another came first.
    /// The operator's own shares are those in its pool and in its buckets: leaving quickly must not spare it the reward.
    function slash(
        address operator,
        uint256 fraction,
        uint256 epoch,
        uint256 jailTerm,
        address recipient,
        uint256 reward
    ) external returns (uint256 slashed, uint256 paid) {
        _requireFraction(fraction);
        uint256 first = Math.saturatingSub(_useHold(operator, fraction, epoch), MATURING_EPOCHS);
        fraction = _withinEpochLimit(operator, fraction);

        (Pool memory p, uint256 before) = _open(operator);
        (uint256 fromPool, uint256 ownLoss) = p.slashDown(fraction);
        (uint256 fromBuckets, uint256 ownBucketLoss) = _slashBuckets(operator, first, fraction);
        slashed = fromPool + fromBuckets;
        // paid = min(reward, what the operator's own shares lost / 2)
        if (recipient != address(0)) paid = Math.min(reward, (ownLoss + ownBucketLoss) / 2);
        uint256 until = jailTerm == 0 ? 0 : _jail(operator, p, jailTerm);
        uint256 weight = _close(operator, p, before);

        emit Slashed(operator, msg.sender, fraction, fromPool, fromBuckets, paid, recipient, p.assets, p.shares, weight);
        if (until != 0) emit JailedUntil(operator, msg.sender, until, weight);
        if (slashed != paid) cai.burn(slashed - paid);
        if (paid != 0) SafeERC20.safeTransfer(cai, recipient, paid);
    }

    /// @inheritdoc IStaking
    function jail(address operator, uint256 term) external {
        if (msg.sender != payments) revert Unauthorised(msg.sender);
        (Pool memory p, uint256 before) = _open(operator);
        uint256 until = _jail(operator, p, term);
        uint256 weight = _close(operator, p, before);
        emit JailedUntil(operator, msg.sender, until, weight);
    }

    /// @inheritdoc IStaking
    function unjail() external {
        (Pool memory p, uint256 before) = _open(msg.sender);
        if (!p.jailed) revert NotJailed(msg.sender);
        uint256 until = _records[msg.sender].jailedUntil;
        if (block.timestamp < until) revert Jailed(msg.sender, until);
        p.jailed = false;
        uint256 weight = _close(msg.sender, p, before);
        emit Unjailed(msg.sender, weight);
    }

    /// @inheritdoc IStaking
    function payFromOwn(address operator, uint256 assets, address payee) external returns (uint256 paid) {
        if (msg.sender != payments) revert Unauthorised(msg.sender);
        (Pool memory p, uint256 before) = _open(operator);
        uint256 shares;
        (paid, shares) = p.leaveOwnUp(assets);
        uint256 weight = _close(operator, p, before);
        uint256 epoch = currentEpoch();
        _enterBucket(operator, epoch, payee, paid);
        emit PaidFromOwn(operator, payee, epoch, paid, shares, p.assets, p.shares, weight);
    }

    function _requireFraction(uint256 fraction) internal pure {
        if (fraction == 0 || fraction > MAX_SLASH) revert FractionOutOfRange(fraction, MAX_SLASH);
    }

    /// @dev Jails until the later of now + term and what was said before.
    function _jail(address operator, Pool memory p, uint256 term) internal returns (uint256 until) {
        Record storage r = _records[operator];
        until = Math.max(r.jailedUntil, block.timestamp + term);
        r.jailedUntil = until.toUint40();
        p.jailed = true;
    }

    /// @dev taken fraction = min(fraction, MAX_SLASH_EPOCH - sum of this epoch's fractions)
    function _withinEpochLimit(address operator, uint256 fraction) internal returns (uint256) {
        uint256 epoch = currentEpoch();
        Record storage r = _records[operator];
        uint256 spent = r.slashEpoch == epoch ? r.slashedFraction : 0;
        fraction = Math.min(fraction, MAX_SLASH_EPOCH - spent);
        (r.slashEpoch, r.slashedFraction) = (epoch.toUint32(), (spent + fraction).toUint64());
        return fraction;
    }

    /// @dev Ends the hold that the caller's dispute has had since `epoch`. What is taken in sum under holds is therefore never more than was
    /// held back, and what was drawn early is always covered by what stays: V * (1 - f) * (1 - (held - f)) >= V * (1 - held).
    /// @return The epoch whose maturing buckets are liable: that of the hold; of now, when there is none or it has expired. Without one only
    /// an active slasher may slash: a retired one finishes what it holds.
    function _useHold(address operator, uint256 fraction, uint256 epoch) internal returns (uint256) {
        uint256 current = currentEpoch();
        if (epoch > current) revert FutureEpoch(epoch, current);
        if (current <= epoch + HOLD_EPOCHS && _heldBy[msg.sender][operator][epoch] >= fraction) {
            _release(operator, fraction, epoch);
            return epoch;
        }
        if (!isSlasher(msg.sender)) revert Unauthorised(msg.sender);
        return current;
    }

    /// @dev Slashes the buckets from `first` to that of now. The only loop: at most HOLD_EPOCHS + MATURING_EPOCHS + 1 of them.
    function _slashBuckets(address operator, uint256 first, uint256 fraction)
        internal
        returns (uint256 lossSum, uint256 ownLossSum)
    {
        uint256 current = currentEpoch();
        for (uint256 e = first; e <= current; ++e) {
            Bucket memory b = _buckets[operator][e];
            if (b.assets == 0) continue;
            uint256 taken = current < maturityOf(e) ? fraction : _withinHeldLimit(operator, e, fraction);
            (uint256 loss, uint256 ownLoss) = b.slashDown(_bucketShares[operator][e][operator], taken);
            _buckets[operator][e] = b;
            lossSum += loss;
            ownLossSum += ownLoss;
        }
    }

    /// @dev Of a matured bucket no more is ever taken in sum than can be held back, however many holds there were.
    function _withinHeldLimit(address operator, uint256 epoch, uint256 fraction) internal returns (uint256) {
        Draws storage d = _draws[operator][epoch];
        uint256 spent = d.slashed;
        fraction = Math.min(fraction, MAX_SLASH_EPOCH - spent);
        d.slashed = (spent + fraction).toUint64();
        return fraction;
    }

    // ------------------------------------------------------------------------------------------------------ role and weight

    /// @inheritdoc IStaking
    function setRole(address operator, Role role, bool active) external returns (uint256 weight) {
        if (msg.sender != registry) revert Unauthorised(msg.sender);
        if (active) _requireOpen();
        (Pool memory p, uint256 before) = _open(operator);
        // Out of the old role's total, then into the new one's.
        p.active = false;
        _close(operator, p, before);
        p.role = role;
        p.active = active;
        weight = _close(operator, p, 0);
        emit RoleSet(operator, role, active, weight);
    }
}
