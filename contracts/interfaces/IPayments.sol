// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Channels from a coordinator's operator to a miner's, paid by cumulative vouchers.
/// @notice Funding is open to all, collecting is never paused and is partial when underfunded; what is taken back thaws first.
interface IPayments {
    /// @notice The caller is neither the payer nor its node.
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
    /// @notice A constructor argument outside its bounds.
    error InvalidParameter(string name, uint256 value);

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
    event ThawStarted(address indexed payer, address indexed payee, uint256 thawing, uint256 thawsAt);
    event ThawCancelled(address indexed payer, address indexed payee, uint256 amount);
    event ThawWithdrawn(address indexed payer, address indexed payee, uint256 amount, uint256 balance);

    struct Channel {
        uint256 balance;
        uint256 collected;
        uint256 thawing;
        uint256 thawsAt;
    }

    /// @notice A voucher with its signature, for `collectMany`.
    struct SignedVoucher {
        address payer;
        address payee;
        uint256 cumulative;
        bytes signature;
    }

    /// @notice Adds `amount` CAI wei of the caller to a channel.
    function fund(address payer, address payee, uint256 amount) external;

    /// @notice Pays the payee what the voucher promises and was not collected yet, as far as the channel's balance goes. Anybody may call.
    /// @return paid CAI wei, the burned fee (rounded up) taken off.
    function collect(address payer, address payee, uint256 cumulative, bytes calldata signature)
        external
        returns (uint256 paid);

    /// @notice `collect` for several vouchers; those with nothing to collect are skipped, an invalid one reverts all.
    function collectMany(SignedVoucher[] calldata vouchers) external returns (uint256 paid);

    /// @notice Announces that `amount` of the channel is taken back. A further call replaces the amount and begins the thaw anew.
    /// The payer or its node.
    function thaw(address payer, address payee, uint256 amount) external;

    /// @notice Ends a thaw without withdrawing. The payer or its node.
    function cancelThaw(address payer, address payee) external;

    /// @notice Pays what has thawed, as far as collecting left it, back to the payer. Anybody may call.
    function withdrawThawed(address payer, address payee) external returns (uint256 amount);

    function channel(address payer, address payee) external view returns (Channel memory);

    /// @notice Seconds between `thaw` and `withdrawThawed`: enough for the payee to collect.
    function thawPeriod() external view returns (uint256);

    /// @notice Share of each collected amount that is burned, WAD.
    function burnFee() external view returns (uint256);
}
