// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {CAI} from "./CAI.sol";
import {IPayments} from "./interfaces/IPayments.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {Voucher} from "./interfaces/Messages.sol";
import {MessageHashes} from "./libraries/MessageHashes.sol";
import {Wad} from "./libraries/Wad.sol";

/// @title Payments
/// @notice Channels paid by cumulative vouchers, see IPayments.
/// @dev A voucher names a total, not a payment: it can be shown again, out of order or never, and pays the difference once.
contract Payments is IPayments {
    using MessageHashes for Voucher;
    using SafeCast for uint256;
    using Wad for uint256;

    // ---------------------------------------------------------------------------------------------------------- constants

    /// @notice The burn fee is at most this. WAD.
    uint256 public constant MAX_BURN_FEE = 0.1e18;

    // ------------------------------------------------------------------------------------------------------------ storage

    /// @dev Two slots; collecting touches the first, and the second only while something thaws.
    /// thawing <= balance, and thawing == 0 exactly when thawsAt == 0.
    struct ChannelState {
        uint128 balance;
        uint128 collected;
        // slot 1
        uint128 thawing;
        uint64 thawsAt;
    }

    CAI public immutable cai;
    IRegistry public immutable registry;
    /// @inheritdoc IPayments
    uint256 public immutable thawPeriod;
    /// @inheritdoc IPayments
    uint256 public immutable burnFee;

    mapping(address payer => mapping(address payee => ChannelState)) internal _channels;

    /// @param thawPeriod_ Seconds, at most the grace in which a replaced node's vouchers are good.
    /// @param burnFee_ WAD.
    constructor(CAI cai_, IRegistry registry_, uint256 thawPeriod_, uint256 burnFee_) {
        if (address(cai_) == address(0) || address(registry_) == address(0)) revert ZeroAddress();
        // Else a payer could replace its node and thaw: the old node's vouchers would be void before the payee is out of time.
        if (thawPeriod_ == 0 || thawPeriod_ > registry_.nodeGrace()) {
            revert InvalidParameter("thawPeriod", thawPeriod_);
        }
        if (burnFee_ > MAX_BURN_FEE) revert InvalidParameter("burnFee", burnFee_);
        cai = cai_;
        registry = registry_;
        thawPeriod = thawPeriod_;
        burnFee = burnFee_;
    }

    // ---------------------------------------------------------------------------------------------------- fund and collect

    /// @inheritdoc IPayments
    function fund(address payer, address payee, uint256 amount) external {
        if (amount == 0) revert ZeroAmount();
        if (payer == address(0) || payee == address(0)) revert ZeroAddress();
        ChannelState storage c = _channels[payer][payee];
        uint128 balance = c.balance + amount.toUint128();
        c.balance = balance;
        emit Funded(payer, payee, msg.sender, amount, balance);
        SafeERC20.safeTransferFrom(cai, msg.sender, address(this), amount);
    }

    /// @inheritdoc IPayments
    function collect(address payer, address payee, uint256 cumulative, bytes calldata signature)
        external
        returns (uint256 paid)
    {
        _requireVoucher(registry.domainSeparator(), payer, payee, cumulative, signature);
        ChannelState memory c = _channels[payer][payee];
        if (cumulative <= c.collected) revert NothingToCollect(payer, payee, cumulative, c.collected);
        if (c.balance == 0) revert InsufficientBalance(0, cumulative - c.collected);
        uint256 fee;
        (paid, fee) = _collect(c, payer, payee, cumulative);
        _burn(fee);
    }

    /// @inheritdoc IPayments
    function collectMany(SignedVoucher[] calldata vouchers) external returns (uint256 paid) {
        bytes32 domain = registry.domainSeparator();
        uint256 fees;
        for (uint256 i; i < vouchers.length; ++i) {
            SignedVoucher calldata v = vouchers[i];
            _requireVoucher(domain, v.payer, v.payee, v.cumulative, v.signature);
            ChannelState memory c = _channels[v.payer][v.payee];
            if (v.cumulative <= c.collected || c.balance == 0) continue;
            (uint256 net, uint256 fee) = _collect(c, v.payer, v.payee, v.cumulative);
            paid += net;
            fees += fee;
        }
        _burn(fees);
    }

    /// @dev The signer is the payer's node: the one in use, or one replaced less than the grace ago.
    function _requireVoucher(bytes32 domain, address payer, address payee, uint256 cumulative, bytes calldata signature)
        internal
        view
    {
        bytes32 structHash = Voucher({payer: payer, payee: payee, cumulative: cumulative}).hash();
        (address signer,,) = ECDSA.tryRecover(MessageHashes.digest(domain, structHash), signature);
        if (signer == address(0) || !registry.isLiable(payer, signer, block.timestamp)) {
            revert InvalidVoucher(payer, payee, cumulative, signer);
        }
    }

    /// @dev Pays one voucher that has something to collect; `c` is the channel as it stands. The fee stays here to be burned.
    function _collect(ChannelState memory c, address payer, address payee, uint256 cumulative)
        internal
        returns (uint256 paid, uint256 fee)
    {
        // amount = min(cumulative - collected, balance); collected <= cumulative ever after
        uint256 amount = Math.min(cumulative - c.collected, c.balance);
        fee = amount.mulUp(burnFee);
        paid = amount - fee;

        c.balance -= amount.toUint128();
        c.collected += amount.toUint128();
        ChannelState storage stored = _channels[payer][payee];
        (stored.balance, stored.collected) = (c.balance, c.collected);
        // What is collected is taken from what does not thaw first, then from what does: funds that come later have not thawed.
        if (c.thawing > c.balance) {
            stored.thawing = c.balance;
            if (c.balance == 0) stored.thawsAt = 0;
        }

        emit Collected(payer, payee, amount, fee, cumulative, c.collected, c.balance);
        SafeERC20.safeTransfer(cai, payee, paid);
    }

    function _burn(uint256 fees) internal {
        if (fees != 0) cai.burn(fees);
    }

    // ---------------------------------------------------------------------------------------------------------- take back

    /// @inheritdoc IPayments
    function thaw(address payer, address payee, uint256 amount) external {
        _requirePayer(payer);
        if (amount == 0) revert ZeroAmount();
        ChannelState storage c = _channels[payer][payee];
        uint256 balance = c.balance;
        if (amount > balance) revert InsufficientBalance(balance, amount);
        uint256 thawsAt = block.timestamp + thawPeriod;
        (c.thawing, c.thawsAt) = (amount.toUint128(), thawsAt.toUint64());
        emit ThawStarted(payer, payee, amount, thawsAt);
    }

    /// @inheritdoc IPayments
    function cancelThaw(address payer, address payee) external {
        _requirePayer(payer);
        ChannelState storage c = _channels[payer][payee];
        uint256 amount = c.thawing;
        if (amount == 0) revert NothingThawing(payer, payee);
        (c.thawing, c.thawsAt) = (0, 0);
        emit ThawCancelled(payer, payee, amount);
    }

    /// @inheritdoc IPayments
    /// @dev Always to the payer, the cold account, even if its node asked for it.
    function withdrawThawed(address payer, address payee) external returns (uint256 amount) {
        ChannelState storage c = _channels[payer][payee];
        amount = c.thawing;
        if (amount == 0) revert NothingThawing(payer, payee);
        uint256 thawsAt = c.thawsAt;
        if (block.timestamp < thawsAt) revert StillThawing(thawsAt, block.timestamp);

        uint128 balance = c.balance - amount.toUint128();
        c.balance = balance;
        (c.thawing, c.thawsAt) = (0, 0);
        emit ThawWithdrawn(payer, payee, amount, balance);
        SafeERC20.safeTransfer(cai, payer, amount);
    }

    function _requirePayer(address payer) internal view {
        if (msg.sender != payer && msg.sender != registry.nodeOf(payer)) revert Unauthorised(msg.sender, payer);
    }

    // -------------------------------------------------------------------------------------------------------------- views

    /// @inheritdoc IPayments
    function channel(address payer, address payee) external view returns (Channel memory) {
        ChannelState memory c = _channels[payer][payee];
        return Channel({balance: c.balance, collected: c.collected, thawing: c.thawing, thawsAt: c.thawsAt});
    }
}
