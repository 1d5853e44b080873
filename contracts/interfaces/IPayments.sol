// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Channels from a coordinator's operator to a miner's, paid by cumulative vouchers that the coordinator's stake stands behind.
/// @notice Funding is open to all, collecting is never paused and is partial when underfunded; what is taken back thaws first. A voucher that the
/// channel does not cover is noticed on chain; unpaid after its notice it is paid out of the coordinator's backing, and jails the coordinator.
/// @dev `payer` and `payee` are operators, and name a channel together; `cumulative` is all that a voucher promises since the channel began,
/// `signature` the EIP-712 signature of that voucher by the payer's node, `signer` whose signature it is (zero: nobody's). `balance` is what a
/// channel holds, `collected` all that it ever paid, with fees and what the backing paid. `available` is what there is of what is `required`,
/// `current` the time of now, `caller` who called. Amounts are CAI wei, times are chain seconds, shares are WAD.
/// Events carry a channel's totals after the verb, as far as it changes them (what thaws, see `ThawStarted`).
/// @custom:reverts-packages SafeCastOverflowedUintDowncast, SafeERC20FailedOperation
interface IPayments {
    /// @notice `caller` is neither the payer nor its node in use.
    error Unauthorised(address caller, address payer);
    /// @notice An amount of nothing.
    error ZeroAmount();
    /// @notice The zero address was given.
    error ZeroAddress();
    /// @notice The signature is not of a node that may sign for the payer.
    error InvalidVoucher(address payer, address payee, uint256 cumulative, address signer);
    /// @notice All that the voucher promises has been collected.
    error NothingToCollect(address payer, address payee, uint256 cumulative, uint256 collected);
    /// @notice More than the channel holds.
    error InsufficientBalance(uint256 available, uint256 required);
    /// @notice The thaw ends at `thawsAt`.
    error StillThawing(uint256 thawsAt, uint256 current);
    /// @notice No thaw was asked for.
    error NothingThawing(address payer, address payee);
    /// @notice `operator` is none: only coordinators have backing, and only their vouchers can be noticed.
    error NotCoordinator(address operator);
    /// @notice More backing than the own stake of `operator`.
    error InsufficientStake(address operator, uint256 available, uint256 required);
    /// @notice The backing of `operator` is, or is about to become, `amount` already.
    error BackingUnchanged(address operator, uint256 amount);
    /// @notice The channel's balance covers the voucher: it can be collected, so there is nothing to notice.
    error Covered(address payer, address payee, uint256 cumulative, uint256 balance);
    /// @notice The voucher has a notice already, which ends at `endsAt`.
    error NoticeKnown(address payer, address payee, uint256 cumulative, uint256 endsAt);
    /// @notice The voucher has no notice, or it was enforced.
    error NoticeUnknown(address payer, address payee, uint256 cumulative);
    /// @notice The payer has time until `endsAt`.
    error NoticeRunning(uint256 endsAt, uint256 current);
    /// @notice An argument outside its bounds: `name` is `value`.
    error InvalidParameter(string name, uint256 value);

    /// @notice `caller` added `amount` to the channel, which holds `balance` now.
    event Funded(address indexed payer, address indexed payee, address caller, uint256 amount, uint256 balance);
    /// @notice `fee` of `amount` was burned, the rest went to the payee. `collected` and `balance` are the channel's totals after it.
    event Collected(
        address indexed payer,
        address indexed payee,
        uint256 amount,
        uint256 fee,
        uint256 cumulative,
        uint256 collected,
        uint256 balance
    );
    /// @notice The payer can take back `thawing` from `thawsAt` on, as far as collecting leaves it: collecting takes first what does not
    /// thaw, so what thaws is the least of this and of the `balance` of each later `Collected`.
    event ThawStarted(address indexed payer, address indexed payee, uint256 thawing, uint256 thawsAt);
    /// @notice `thawing` is not taken back: in total nothing thaws any more. The balance is as it was: that of the channel's last event
    /// that has one.
    event ThawCancelled(address indexed payer, address indexed payee, uint256 thawing);
    /// @notice The payer took back `amount`; nothing thaws any more, and the channel holds `balance` now.
    event ThawWithdrawn(address indexed payer, address indexed payee, uint256 amount, uint256 balance);
    /// @notice `backing` stands behind the payer's vouchers now, and `lowered` from epoch `lowersIn` on; zeros when it stays.
    event BackingSet(address indexed payer, uint256 backing, uint256 lowered, uint256 lowersIn);
    /// @notice A voucher is unpaid: of it, `unpaid` is not covered by the channel's balance now. The payer has until `endsAt` to fund the channel.
    /// `share` is the payee's of all miners' weight, which limits what it can get from the backing.
    event Notified(
        address indexed payer,
        address indexed payee,
        uint256 cumulative,
        uint256 unpaid,
        uint256 share,
        uint256 endsAt,
        address caller
    );
    /// @notice After the notice `covered` was paid from the payer's own stake, of which `backing` still stands behind its vouchers (a
    /// lower one that is announced is never more than this). `unpaid` is what the voucher still promises. `jailed` is false when the channel's
    /// balance covered all of it.
    event Enforced(
        address indexed payer,
        address indexed payee,
        uint256 cumulative,
        uint256 covered,
        uint256 unpaid,
        uint256 collected,
        uint256 backing,
        bool jailed
    );
    /// @notice `burnFee` (WAD) of each collected amount is burned from now on.
    event BurnFeeSet(uint256 burnFee);
    /// @notice Notices that begin from now on last `noticePeriod` seconds.
    event NoticePeriodSet(uint256 noticePeriod);

    /// @notice A channel: what it holds, what was ever paid by it (fees and what the backing paid included), what of the balance thaws, and until
    /// when; zeros when nothing thaws.
    struct Channel {
        uint256 balance;
        uint256 collected;
        uint256 thawing;
        uint256 thawsAt;
    }

    /// @notice A coordinator's backing: what counts now, what it becomes in epoch `lowersIn` (zeros when it stays), and all that was ever paid
    /// out of it.
    struct BackingState {
        uint256 amount;
        uint256 lowered;
        uint256 lowersIn;
        uint256 paid;
    }

    /// @notice A voucher with its signature, for `collectMany`.
    struct SignedVoucher {
        address payer;
        address payee;
        uint256 cumulative;
        bytes signature;
    }

    // ---- fund and collect

    /// @notice Adds `amount` CAI wei of the caller to a channel.
    /// @param payer Whose channel it is.
    /// @param payee Who is paid by it.
    /// @param amount CAI wei, approved to this contract.
    /// @custom:caller Anybody.
    /// @custom:reverts ZeroAddress, ZeroAmount, those of IERC20.transferFrom
    function fund(address payer, address payee, uint256 amount) external;

    /// @notice Pays the payee what the voucher promises and was not collected yet, as far as the channel's balance goes.
    /// @param payer Whose channel it is.
    /// @param payee Who is paid by it.
    /// @param cumulative What the voucher promises since the channel began, CAI wei.
    /// @param signature Of the voucher, by the payer's node: in use, or replaced no longer ago than the grace.
    /// @return paid CAI wei, the burned fee (rounded up) taken off.
    /// @custom:caller Anybody.
    /// @custom:reverts InsufficientBalance, InvalidVoucher, NothingToCollect, those of ERC20Burnable.burn,
    /// IERC20.transfer, IStaking.totalWeightAt, IStaking.weightAt
    function collect(address payer, address payee, uint256 cumulative, bytes calldata signature)
        external
        returns (uint256 paid);

    /// @notice `collect` for several vouchers; those with nothing to collect are skipped, an invalid one reverts all.
    /// @param vouchers In any order, of any channels.
    /// @return paid CAI wei to all payees together.
    /// @custom:caller Anybody.
    /// @custom:reverts InvalidVoucher, those of ERC20Burnable.burn, IERC20.transfer, IStaking.totalWeightAt,
    /// IStaking.weightAt
    function collectMany(SignedVoucher[] calldata vouchers) external returns (uint256 paid);

    // ---- take back

    /// @notice Announces that `amount` of the channel is taken back. A further call replaces the amount and begins the thaw anew.
    /// @param payer Whose channel it is.
    /// @param payee Who is paid by it.
    /// @param amount CAI wei, at most the balance.
    /// @custom:caller The payer, or its node in use.
    /// @custom:reverts InsufficientBalance, Unauthorised, ZeroAmount
    function thaw(address payer, address payee, uint256 amount) external;

    /// @notice Ends a thaw without withdrawing.
    /// @param payer Whose channel it is.
    /// @param payee Who is paid by it.
    /// @custom:caller The payer, or its node in use.
    /// @custom:reverts NothingThawing, Unauthorised
    function cancelThaw(address payer, address payee) external;

    /// @notice Pays what has thawed, as far as collecting left it, back to the payer.
    /// @param payer Whose channel it is.
    /// @param payee Who is paid by it.
    /// @return amount CAI wei.
    /// @custom:caller Anybody.
    /// @custom:reverts NothingThawing, StillThawing, those of IERC20.transfer
    function withdrawThawed(address payer, address payee) external returns (uint256 amount);

    // ---- stand behind vouchers

    /// @notice Sets how much of the caller's own stake stands behind its vouchers. More counts at
    /// once, and is at most the own stake of now; less counts from the epoch on in which an undelegation of now would mature, and until then
    /// all of it stands. A further call replaces what was announced; the time begins anew only if it goes lower.
    /// @param amount CAI wei.
    /// @custom:caller The operator of a coordinator, not its node.
    /// @custom:reverts BackingUnchanged, InsufficientStake, NotCoordinator
    function setBacking(uint256 amount) external;

    /// @notice Says on chain that a voucher promises more than was collected and the channel covers. The payer has
    /// `noticePeriod` seconds to fund the channel. Each voucher, that is each cumulative, has a notice of its own: none begins anew because
    /// of another, and none is shorter. Once noticed the voucher stays good, whatever becomes of the node that signed it.
    /// @param payer Whose channel it is.
    /// @param payee Who is paid by it.
    /// @param cumulative What the voucher promises since the channel began, CAI wei.
    /// @param signature Of the voucher, by the payer's node: in use, or replaced no longer ago than the grace.
    /// @custom:caller Anybody.
    /// @custom:reverts Covered, InvalidVoucher, NotCoordinator, NothingToCollect, NoticeKnown, those of
    /// IStaking.totalWeightAt, IStaking.weightAt
    function notify(address payer, address payee, uint256 cumulative, bytes calldata signature) external;

    /// @notice Ends the notice of a voucher whose time is over. Pays first from the channel, as `collect` does; what is unpaid
    /// then from the payer's own stake, as far as its backing and the payee's part of it go: (backing + all paid out of it so far) x the payee's
    /// share of the miners' weight at the start of the epoch before the notice began, less what the payee got before, rounded down. That goes into
    /// a bucket of the payer's pool, where it matures for the payee and can be slashed, like any exit; nothing of it is burned. What the
    /// channel did not cover jails the payer for `jailTerm` seconds, whether the backing covered it or not.
    /// @param payer Whose channel it is.
    /// @param payee Who is paid by it.
    /// @param cumulative Of a voucher that has a notice.
    /// @return covered CAI wei paid from the payer's own stake.
    /// @custom:caller Anybody.
    /// @custom:reverts NothingToCollect, NoticeRunning, NoticeUnknown, those of ERC20Burnable.burn, IERC20.transfer,
    /// IStaking.jail, IStaking.payFromOwn, IStaking.totalWeightAt, IStaking.weightAt
    function enforce(address payer, address payee, uint256 cumulative) external returns (uint256 covered);

    // ---- govern

    /// @notice Sets the share of collected amounts that is burned, WAD, at most `MAX_BURN_FEE`.
    /// @param burnFee_ WAD.
    /// @custom:caller The owner, which is the timelock.
    /// @custom:reverts InvalidParameter, OwnableUnauthorizedAccount
    function setBurnFee(uint256 burnFee_) external;

    /// @notice Sets how long notices last that begin from now on, in seconds: from one epoch to one and a half.
    /// @param noticePeriod_ Seconds.
    /// @custom:caller The owner, which is the timelock.
    /// @custom:reverts InvalidParameter, OwnableUnauthorizedAccount
    function setNoticePeriod(uint256 noticePeriod_) external;

    // ---- views

    /// @notice The channel from `payer` to `payee`.
    function channel(address payer, address payee) external view returns (Channel memory);

    /// @notice What stands behind the vouchers of `payer` now, in CAI wei. So much of its own stake cannot leave its pool.
    function backingOf(address payer) external view returns (uint256);

    /// @notice `backingOf` with what is announced and what was paid.
    function backing(address payer) external view returns (BackingState memory);

    /// @notice CAI wei that `payee` ever got out of the backing of `payer`.
    function coveredOf(address payer, address payee) external view returns (uint256);

    /// @notice The notice of a voucher: when it ends (seconds; zero if there is none) and the payee's share of the miners' weight (WAD).
    /// @return endsAt Seconds.
    /// @return share WAD.
    function notice(address payer, address payee, uint256 cumulative)
        external
        view
        returns (uint256 endsAt, uint256 share);

    /// @notice CAI wei that `payee` collected from `payer` in `epoch`, fees included and what came from the backing left out; counted only
    /// if the payee was a miner with weight when the epoch began. Panics (0x32) for an epoch from 2^40 on; so does `sharesWorked`.
    function feesOf(uint256 epoch, address payer, address payee) external view returns (uint256);

    /// @notice The work that `payer` paid for in `epoch`: the sum of `feesOf` over its payees, and its share of the coordinators' weight when
    /// the epoch began (WAD, rounded down; zero before the first such fees, and for who was no coordinator with weight).
    /// @return fees CAI wei.
    /// @return share WAD.
    function workOf(uint256 epoch, address payer) external view returns (uint256 fees, uint256 share);

    /// @notice Sum of the shares of all payers with work in `epoch`, WAD.
    function sharesWorked(uint256 epoch) external view returns (uint256);

    /// @notice Seconds between `thaw` and `withdrawThawed`: enough for the payee to collect.
    function thawPeriod() external view returns (uint256);

    /// @notice Share of each collected amount that is burned, WAD.
    function burnFee() external view returns (uint256);

    /// @notice Seconds between `notify` and `enforce`.
    function noticePeriod() external view returns (uint256);

    /// @notice Seconds in jail for a voucher that the channel did not cover after its notice.
    function jailTerm() external view returns (uint256);

    /// @notice Seconds of an epoch, as in Staking.
    function epochLength() external view returns (uint256);
}
