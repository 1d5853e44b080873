// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Role} from "./Messages.sol";

/// @title Stake, vote, earn, leave and be slashed.
/// @notice One pool an operator: whoever delegates to it, the operator itself included, holds shares of its assets.
/// @dev `operator` is whose pool a function is about, `owner` who holds shares of it or of a bucket, `role` Miner or Coordinator; `assets` are
/// CAI wei, `shares` have no unit, a weight is CAI wei, `epoch` counts block.timestamp / epochLength. `caller` is who called, `slasher` a contract that
/// may slash; `fraction` and `commission` are WAD; `current` is the epoch, or the second, of now; `available` is what there is of what is `required`.
/// Every conversion rounds against the caller. Times are block timestamps cut into epochs of `epochLength` seconds.
/// Events carry the totals after the verb: `poolAssets`, `poolShares` and `weight`, so that an indexer needs no calls.
/// Every verb that touches a pool first adds what the reward stream owes it, and says so with `Rewarded`.
/// Of a bucket no event has totals. They follow from those before them, without a call: `Undelegated` and `PaidFromOwn` add their `assets` and mint
/// shares of the bucket, floor(assets x (shares + 1e6) / (assets in it + 1)); `UndelegationCancelled` takes out all shares and assets of its owner, and
/// so does `Withdrawn`, unless `Held` and `Released` say that a part is held back: then its owner keeps the shares, and what it drew is taken off what it
/// gets later; `Slashed` takes its `fraction` (of a matured bucket at most `MAX_SLASH_EPOCH` in sum), rounded down, of the buckets that had not
/// matured in the epoch of the `Released` right before it (at most `Rewarded` lies between), or now if there is none. `bucket` says it in a call.
/// @custom:reverts-packages SafeCastOverflowedUintDowncast, SafeERC20FailedOperation
interface IStaking {
    /// @notice What is fixed at deployment.
    struct Parameters {
        /// Seconds, at most a year.
        uint256 epochLength;
        /// CAI wei; own stake must be more.
        uint256 minMinerStake;
        /// CAI wei; own stake must be more.
        uint256 minCoordinatorStake;
        /// Seconds that a period of the reward stream lasts.
        uint256 rewardPeriod;
        /// May be nobody.
        address guardian;
        /// Seconds; the guardian has no right from then on.
        uint256 guardianExpiry;
    }

    /// @notice `caller` may not do this.
    error Unauthorised(address caller);
    /// @notice Entry is paused until `until` (seconds). Exits are never paused.
    error EntryPaused(uint256 until);
    /// @notice An amount of nothing.
    error ZeroAmount();
    /// @notice The zero address was given.
    error ZeroAddress();
    /// @notice `amount` converts to no share, or to no asset; of a reward, it would flow too slowly.
    error AmountTooSmall(uint256 amount);
    /// @notice `owner` holds fewer shares than it wants to use.
    error InsufficientShares(address owner, uint256 available, uint256 required);
    /// @notice The coordinator's own stake would fall to `left`, but `backing` of it stands behind its vouchers (CAI wei): lower the backing in
    /// Payments first.
    error StakeBacksVouchers(address operator, uint256 backing, uint256 left);
    /// @notice The pool lost more than 99% of a share's first price: no new stake, exits stay open.
    error Tombstoned(address operator);
    /// @notice The bucket can be withdrawn from epoch `maturity` on.
    error NotMatured(uint256 epoch, uint256 maturity, uint256 current);
    /// @notice The bucket has matured, in epoch `maturity`, so it is withdrawn, not brought back.
    error AlreadyMatured(uint256 epoch, uint256 maturity, uint256 current);
    /// @notice Open disputes hold back a fraction `held` (WAD) of the bucket: of what is left to `owner` nothing is free now. While
    /// anything is held back only `owner` itself may withdraw the part that is free.
    error HeldBack(address operator, uint256 epoch, address owner, uint256 held);
    /// @notice A release of `fraction`, more than the `held` that the caller holds for disputes that opened in `epoch`. WAD.
    error NotHeld(address operator, uint256 epoch, uint256 held, uint256 fraction);
    /// @notice Nothing of `owner` waits in this bucket.
    error NothingToWithdraw(address operator, uint256 epoch, address owner);
    /// @notice A hold or a slash of a `fraction` that is zero or above `limit`, that of one incident. WAD.
    error FractionOutOfRange(uint256 fraction, uint256 limit);
    /// @notice `epoch` has not begun yet: it is after `current`.
    error FutureEpoch(uint256 epoch, uint256 current);
    /// @notice Weights are remembered for the last `WEIGHT_MEMORY` epochs in which they changed, not for this one.
    error ForgottenEpoch(uint256 epoch);
    /// @notice The operator is jailed until `until` (seconds) at least.
    error Jailed(address operator, uint256 until);
    /// @notice The operator is not jailed.
    error NotJailed(address operator);
    /// @notice A `commission` above 1 (WAD) or not a multiple of 1e-9.
    error InvalidCommission(uint256 commission);
    /// @notice No rise of the commission waits, or it takes effect only at `from` (seconds).
    error CommissionNotDue(address operator, uint256 from, uint256 current);
    /// @notice `account` is a slasher already, or was one.
    error SlasherKnown(address account);
    /// @notice `account` is no slasher, or has been retired.
    error SlasherUnknown(address account);
    /// @notice An argument outside its bounds: `name` is `value`.
    error InvalidParameter(string name, uint256 value);

    /// @notice `caller` staked `assets` behind `operator` for `owner`, who got `shares`.
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
    /// @notice `shares` of the pool became `assets` in the bucket of `epoch`.
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
    /// @notice `assets` came out of the bucket of `epoch` back into the pool, for `shares` of it.
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
    /// @notice `assets` of the bucket of `epoch` were paid to `owner`: all that is its, unless a part was held back. No pool changes by it,
    /// and what is left in the bucket follows from the events before, as said above.
    event Withdrawn(address indexed operator, address indexed owner, uint256 indexed epoch, uint256 assets);
    /// @notice `fraction` (WAD, as cut) of the pool and of the liable buckets was taken: `fromPool` and `fromBuckets`; `paid` of it went to `recipient`,
    /// the rest was burned.
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
    /// @notice The reward stream paid `assets` into the pool; `commissionShares` of the pool were minted to the operator for its cut.
    event Rewarded(
        address indexed operator,
        uint256 assets,
        uint256 commissionShares,
        uint256 poolAssets,
        uint256 poolShares,
        uint256 weight
    );
    /// @notice `amount` was added to the reward stream, which now pays `rate` wei a second until `endsAt`.
    event RewardsFunded(address indexed caller, uint256 amount, uint256 rate, uint256 endsAt);
    /// @notice The operator's commission is `commission` (WAD) from now on.
    event CommissionSet(address indexed operator, uint256 commission);
    /// @notice The operator's commission can rise to `commission` (WAD) from `from` (seconds) on.
    event CommissionAnnounced(address indexed operator, uint256 commission, uint256 from);
    /// @notice `fraction` of the operator's stake is held back for a dispute that opened in `epoch`; `held` in total for that epoch.
    event Held(
        address indexed operator, address indexed slasher, uint256 indexed epoch, uint256 fraction, uint256 held
    );
    /// @notice A hold of `fraction` ended before its time; `held` in total is left for that epoch.
    event Released(
        address indexed operator, address indexed slasher, uint256 indexed epoch, uint256 fraction, uint256 held
    );
    /// @notice No weight until the operator calls `unjail`, which it can from `until` (seconds) on. `jailer` is a slasher or Payments.
    event JailedUntil(address indexed operator, address indexed jailer, uint256 until, uint256 weight);
    /// @notice The operator has weight again, if its own stake suffices.
    event Unjailed(address indexed operator, uint256 weight);
    /// @notice `assets` of the operator's own stake went into the bucket of `epoch`, for `payee`.
    event PaidFromOwn(
        address indexed operator,
        address indexed payee,
        uint256 indexed epoch,
        uint256 assets,
        uint256 shares,
        uint256 poolAssets,
        uint256 poolShares,
        uint256 weight
    );
    /// @notice `slasher` may slash from `activeFrom` (seconds) on.
    event SlasherProposed(address indexed slasher, uint256 activeFrom);
    /// @notice `slasher` opens nothing any more; what it holds it may finish.
    event SlasherRetired(address indexed slasher);
    /// @notice `guardian` may veto and pause from now on, until the expiry.
    event GuardianSet(address indexed guardian);
    /// @notice Entry is paused until `until` (seconds); zero, or a past time, when it is open.
    event PauseSet(address indexed caller, uint256 until);

    // ---- stake, vote, leave

    /// @notice Stakes `assets` CAI of the caller behind `operator`; the shares belong to `onBehalf`. For oneself it is staking,
    /// for another a vote.
    /// @param operator Whose pool they enter.
    /// @param assets CAI wei, approved to this contract.
    /// @param onBehalf Whose the shares are.
    /// @return shares Minted, rounded down.
    /// @custom:caller Anybody, while entry is open.
    /// @custom:reverts AmountTooSmall, EntryPaused, Tombstoned, ZeroAddress, ZeroAmount, those of IERC20.transferFrom
    function delegate(address operator, uint256 assets, address onBehalf) external returns (uint256 shares);

    /// @notice `delegate` with an EIP-2612 permit. A permit that somebody used first is no error if the allowance suffices.
    /// @param operator As in `delegate`.
    /// @param assets As in `delegate`; the permit is for as many.
    /// @param onBehalf As in `delegate`.
    /// @param deadline Of the permit, in seconds.
    /// @param v Of the permit's signature by the caller.
    /// @param r Of it.
    /// @param s Of it.
    /// @return shares As in `delegate`.
    /// @custom:caller Anybody, while entry is open.
    /// @custom:reverts AmountTooSmall, EntryPaused, Tombstoned, ZeroAddress, ZeroAmount, those of IERC20.transferFrom
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
    /// @param operator Whose pool they leave.
    /// @param shares At most the caller's.
    /// @return assets Moved, in CAI wei, rounded down.
    /// @custom:caller Whoever holds the shares.
    /// @custom:reverts AmountTooSmall, InsufficientShares, StakeBacksVouchers, ZeroAmount
    function undelegate(address operator, uint256 shares) external returns (uint256 assets);

    /// @notice Brings what the caller has in a bucket that has not matured back into the pool, at the bucket's value and the pool's price
    /// of now.
    /// @param operator Whose pool they come back to.
    /// @param epoch Of the bucket.
    /// @return shares Minted, rounded down.
    /// @custom:caller Whoever has assets in the bucket.
    /// @custom:reverts AlreadyMatured, AmountTooSmall, NothingToWithdraw, Tombstoned
    function cancelUndelegation(address operator, uint256 epoch) external returns (uint256 shares);

    /// @notice Pays out what `owner` has in a matured bucket, to `owner`. While disputes that opened before the bucket
    /// matured are open, the fractions that they could slash (their sum, at most `MAX_SLASH_EPOCH`) stay; the rest is paid, but then only
    /// `owner` may call.
    /// @param operator Whose pool they left.
    /// @param epoch Of the bucket.
    /// @param owner Who is paid.
    /// @return assets Paid in CAI wei, rounded down.
    /// @custom:caller Anybody; `owner` itself while anything is held back.
    /// @custom:reverts HeldBack, NotMatured, NothingToWithdraw, those of IERC20.transfer
    function withdraw(address operator, uint256 epoch, address owner) external returns (uint256 assets);

    // ---- earn

    /// @notice Adds `amount` CAI wei of the caller to the reward stream: spread over the rest of the period that runs, or, when less than a
    /// tenth of one is left, over a new one of `rewardPeriod` seconds, together with what was left. Refused are less than a wei a second, and
    /// what would begin a new period that flows slower than the one that still runs. What the division leaves over is not promised to
    /// anybody. While nobody has weight the stream stands still.
    /// @param amount CAI wei, approved to this contract.
    /// @custom:caller Anybody.
    /// @custom:reverts AmountTooSmall, those of IERC20.transferFrom
    function fundRewards(uint256 amount) external;

    /// @notice Adds to a pool what the stream owes it by now; every verb on the pool does it as well.
    /// @param operator Whose pool it is.
    /// @return assets CAI wei added.
    /// @custom:caller Anybody.
    function accrue(address operator) external returns (uint256 assets);

    /// @notice Sets the caller's cut `commission` (WAD, a multiple of 1e-9) of all that the stream pays into its pool. A cut takes effect at once; a rise
    /// is announced, and takes effect by `applyCommission` once an epoch's length has passed. A further call replaces what was announced.
    /// @param commission WAD, at most 1, a multiple of 1e-9.
    /// @custom:caller Anybody, of its own pool.
    /// @custom:reverts InvalidCommission
    function setCommission(uint256 commission) external;

    /// @notice Puts an announced rise into effect.
    /// @param operator Who announced it.
    /// @custom:caller Anybody.
    /// @custom:reverts CommissionNotDue
    function applyCommission(address operator) external;

    // ---- hold back, slash, jail

    /// @notice Holds back `fraction` (WAD, at most `MAX_SLASH`) of what is behind `operator`, for a dispute that opens now. Refused
    /// while entry is paused. Ends by `release`, or by itself `HOLD_EPOCHS` epochs later.
    /// @param operator Who is accused.
    /// @param fraction WAD, not zero, at most `MAX_SLASH`.
    /// @return epoch Of now: what `release` and `slash` want to be told.
    /// @custom:caller Active slashers.
    /// @custom:reverts EntryPaused, FractionOutOfRange, Unauthorised
    function hold(address operator, uint256 fraction) external returns (uint256 epoch);

    /// @notice Ends a hold of `fraction` that the caller began in `epoch`, also one that has expired.
    /// @param operator Who was accused.
    /// @param fraction WAD, not zero, at most what the caller holds.
    /// @param epoch What `hold` returned.
    /// @custom:caller The slasher that holds, retired or not.
    /// @custom:reverts NotHeld, ZeroAmount
    function release(address operator, uint256 fraction, uint256 epoch) external;

    /// @notice Takes `fraction` of the pool and of every bucket that had not matured in `epoch`, and ends the hold of `fraction` that the caller
    /// began then. Without such a hold, or when it has expired, only what matures now is liable, and only an active slasher may slash.
    /// @param operator Who is slashed.
    /// @param fraction WAD, at most `MAX_SLASH`; cut so that one epoch's slashes stay within `MAX_SLASH_EPOCH`.
    /// @param epoch When the dispute opened: what `hold` returned, or the epoch of now.
    /// @param jailTerm Seconds in jail; zero for none.
    /// @param recipient Gets up to `reward`, the rest is burned.
    /// @param reward CAI wei wished for `recipient`; cut to half of what the operator's own shares lost, so that slashing oneself never pays.
    /// @return slashed CAI wei taken, rounded down.
    /// @return paid CAI wei of it that `recipient` got.
    /// @custom:caller The slasher that holds, retired or not; an active one without a hold.
    /// @custom:reverts FractionOutOfRange, FutureEpoch, Unauthorised, those of ERC20Burnable.burn, IERC20.transfer
    function slash(
        address operator,
        uint256 fraction,
        uint256 epoch,
        uint256 jailTerm,
        address recipient,
        uint256 reward
    ) external returns (uint256 slashed, uint256 paid);

    /// @notice Jails an operator for `term` seconds from now.
    /// @param operator Who is jailed.
    /// @param term Seconds; what is left of an earlier term stays if it is longer.
    /// @custom:caller Payments.
    /// @custom:reverts Unauthorised
    function jail(address operator, uint256 term) external;

    /// @notice Moves up to `assets` CAI wei of the operator's own stake, never of its voters', into the bucket of the current epoch, for
    /// `payee`: there it matures and stays slashable like any exit.
    /// @param operator Whose own stake pays.
    /// @param assets CAI wei wished for.
    /// @param payee Whose they are in the bucket.
    /// @return paid CAI wei moved; less when the own stake is less. The shares taken are rounded up, against the operator.
    /// @custom:caller Payments.
    /// @custom:reverts Unauthorised
    function payFromOwn(address operator, uint256 assets, address payee) external returns (uint256 paid);

    /// @notice Ends the caller's jail once its term is over.
    /// @custom:caller The operator.
    /// @custom:reverts Jailed, NotJailed
    function unjail() external;

    // ---- govern

    /// @notice Names a slasher, active after unbonding plus an epoch: whoever does not trust it can leave before.
    /// @param slasher A contract that no slasher was before.
    /// @custom:caller The owner, which is the timelock.
    /// @custom:reverts OwnableUnauthorizedAccount, SlasherKnown, ZeroAddress
    function proposeSlasher(address slasher) external;

    /// @notice Takes the right to open new disputes from a slasher, for ever. Those it holds stake for it may finish.
    /// @param slasher One that is active or proposed.
    /// @custom:caller The owner, which is the timelock.
    /// @custom:reverts OwnableUnauthorizedAccount, SlasherUnknown
    function retireSlasher(address slasher) external;

    /// @notice Replaces the guardian; its expiry stays.
    /// @param guardian The new one; the zero address is nobody.
    /// @custom:caller The owner, which is the timelock.
    /// @custom:reverts OwnableUnauthorizedAccount
    function setGuardian(address guardian) external;

    /// @notice Stops entry (`delegate`, `register`, new disputes) until `until` (seconds), at most `MAX_PAUSE` from now; a past time opens it
    /// again. Exits, payments and running disputes go on.
    /// @param until Seconds, at most `MAX_PAUSE` from now.
    /// @custom:caller The owner, or the guardian while it lasts.
    /// @custom:reverts InvalidParameter, Unauthorised
    function pauseEntry(uint256 until) external;

    /// @notice Sets what role an operator has and whether it is active in it.
    /// @param operator Who enters or leaves.
    /// @param role Miner or Coordinator.
    /// @param active Whether it counts: not while it is retired.
    /// @return weight After the change.
    /// @custom:caller The registry.
    /// @custom:reverts EntryPaused, Unauthorised
    function setRole(address operator, Role role, bool active) external returns (uint256 weight);

    // ---- views

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

    /// @notice min(pool assets, 10 x own stake) of an active operator that is not jailed and whose own stake is above its role's minimum, else
    /// zero. As of the last verb on its pool: rewards that are pending count with the next.
    function weightOf(address operator) external view returns (uint256);

    /// @notice Sum of `weightOf` over a role.
    function totalWeight(Role role) external view returns (uint256);

    /// @notice Weight at the start of `epoch`. Refused once the weight has changed in more than `WEIGHT_MEMORY` epochs since.
    /// @custom:reverts ForgottenEpoch, FutureEpoch
    function weightAt(address operator, uint256 epoch) external view returns (uint256);

    /// @notice Sum of a role's weights at the start of `epoch`; remembered as long, of the changes of both roles together.
    /// @custom:reverts ForgottenEpoch, FutureEpoch
    function totalWeightAt(Role role, uint256 epoch) external view returns (uint256);

    /// @notice Own stake must be strictly more than this, in CAI wei.
    function minStake(Role role) external view returns (uint256);

    /// @notice True once a share is worth less than 1% of its first price.
    function isTombstoned(address operator) external view returns (bool);

    /// @notice Whether `account` may open disputes, that is hold and slash.
    function isSlasher(address account) external view returns (bool);

    /// @notice The operator's standing. `jailed` ends by `unjail`, from `jailedUntil` (seconds) on.
    function jailStatus(address operator) external view returns (bool jailed, uint256 jailedUntil);

    /// @notice The operator's cut now (WAD), and the announced rise with the time from which it can be applied; zeros when there is none.
    /// @return commission WAD.
    /// @return announced WAD.
    /// @return from Seconds.
    function commissionOf(address operator) external view returns (uint256 commission, uint256 announced, uint256 from);

    /// @notice Fraction (WAD) of the bucket of `epoch` that open disputes hold back now; zero before it matured, when nothing can be
    /// withdrawn anyway.
    function heldFraction(address operator, uint256 epoch) external view returns (uint256);

    /// @notice CAI wei that `withdraw` would pay `owner` out of the bucket of `epoch` now, if `owner` calls it.
    function withdrawable(address operator, uint256 epoch, address owner) external view returns (uint256);

    /// @notice The reward stream: CAI wei a second, and until when.
    /// @return rate CAI wei a second.
    /// @return endsAt Seconds.
    function rewardStream() external view returns (uint256 rate, uint256 endsAt);

    /// @notice CAI wei that the stream owes a pool and that the next verb on it adds. All views of assets and shares include it already.
    function pendingRewards(address operator) external view returns (uint256);

    /// @notice Seconds that a new period of the reward stream lasts.
    function rewardPeriod() external view returns (uint256);

    /// @notice May veto slashes and pause entry; the zero address once it has expired.
    function guardian() external view returns (address);

    /// @notice Entry is paused until then (seconds).
    function pausedUntil() external view returns (uint256);

    /// @notice The epoch of now: block.timestamp / epochLength.
    function currentEpoch() external view returns (uint256);

    /// @notice First epoch in which a bucket of `epoch` can be withdrawn: two whole epochs later.
    function maturityOf(uint256 epoch) external pure returns (uint256);

    /// @notice Seconds.
    function epochLength() external view returns (uint256);

    /// @notice The contract that sets roles.
    function registry() external view returns (address);

    /// @notice The contract that jails, and pays from own stake.
    function payments() external view returns (address);
}
