// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {CAI} from "./CAI.sol";
import {IPayments} from "./interfaces/IPayments.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {IStaking} from "./interfaces/IStaking.sol";
import {Role, Voucher} from "./interfaces/Messages.sol";
import {Backing, Backings} from "./libraries/Backings.sol";
import {MessageHashes} from "./libraries/MessageHashes.sol";
import {WAD, Wad} from "./libraries/Wad.sol";

/// @title Payments
/// @notice Channels paid by cumulative vouchers, and the stake behind them, see IPayments.
/// @dev A voucher names a total, not a payment: it can be shown again, out of order or never, and pays the difference once.
/// Nothing here can be paused. The owner sets the burn fee and the notice within bounds, nothing else.
contract Payments is IPayments, Ownable2Step {
    using Backings for Backing;
    using MessageHashes for Voucher;
    using SafeCast for uint256;
    using Wad for uint256;

    // ---------------------------------------------------------------------------------------------------------- constants

    /// @notice The burn fee is at most this. WAD.
    uint256 public constant MAX_BURN_FEE = 0.1e18;
    /// @notice A notice lasts at most so many epochs. WAD.
    /// @dev A lowered backing counts for two whole epochs more. A notice must be over well before, or lowering would outrun it: with one epoch the
    /// payee has at least one epoch to notify and enforce, with one and a half it has half of one.
    uint256 public constant MAX_NOTICE_EPOCHS = 1.5e18;
    /// @dev So many epochs have a place: more than seconds since 1970.
    uint256 internal constant EPOCHS = 2 ** 40;

    // ------------------------------------------------------------------------------------------------------------ storage

    /// @dev Two slots; collecting touches the first, and the second only while something thaws.
    /// thawing <= balance, and thawing == 0 exactly when thawsAt == 0.
    struct ChannelState {
        uint120 collected;
        uint96 balance;
        uint40 thawsAt;
        // slot 1
        uint96 thawing;
        /// Of `collected`, what was paid from the backing.
        uint128 covered;
    }

    struct Notice {
        uint64 endsAt;
        uint64 share;
    }

    struct Work {
        uint128 fees;
        uint64 share;
    }

    /// @notice The token of the channels.
    CAI public immutable cai;
    /// @notice Where backing stands.
    IStaking public immutable staking;
    /// @notice Who signs for whom.
    IRegistry public immutable registry;
    /// @inheritdoc IPayments
    uint256 public immutable thawPeriod;
    /// @inheritdoc IPayments
    uint256 public immutable jailTerm;
    /// @inheritdoc IPayments
    uint256 public immutable epochLength;

    uint64 internal _burnFee;
    uint64 internal _noticePeriod;
    mapping(address payer => mapping(address payee => ChannelState)) internal _channels;
    mapping(address payer => Backing) internal _backings;
    mapping(address payer => mapping(address payee => mapping(uint256 cumulative => Notice))) internal _notices;
    /// @dev By epoch, two to a slot: every other epoch's first collection costs no new slot.
    mapping(address payer => mapping(address payee => uint128[EPOCHS])) internal _fees;
    mapping(address payer => mapping(uint256 epoch => Work)) internal _works;
    /// @dev By epoch, four to a slot.
    uint64[EPOCHS] internal _sharesWorked;

    /// @param staking_ Already names this contract as its payments.
    /// @param thawPeriod_ Seconds, at most the grace in which a replaced node's vouchers are good.
    /// @param burnFee_ WAD.
    /// @param noticePeriod_ Seconds, from one epoch to one and a half.
    /// @param jailTerm_ Seconds.
    constructor(
        CAI cai_,
        IStaking staking_,
        IRegistry registry_,
        uint256 thawPeriod_,
        uint256 burnFee_,
        uint256 noticePeriod_,
        uint256 jailTerm_,
        address owner_
    ) Ownable(owner_) {
        if (address(cai_) == address(0) || address(staking_) == address(0) || address(registry_) == address(0)) {
            revert ZeroAddress();
        }
        if (staking_.payments() != address(this)) revert InvalidParameter("staking", uint160(address(staking_)));
        if (staking_.registry() != address(registry_)) {
            revert InvalidParameter("registry", uint160(address(registry_)));
        }
        // Else a payer could replace its node and thaw: the old node's vouchers would be void before the payee is out of time.
        if (thawPeriod_ == 0 || thawPeriod_ > registry_.nodeGrace()) {
            revert InvalidParameter("thawPeriod", thawPeriod_);
        }
        if (jailTerm_ == 0 || jailTerm_ > 365 days) revert InvalidParameter("jailTerm", jailTerm_);
        cai = cai_;
        staking = staking_;
        registry = registry_;
        thawPeriod = thawPeriod_;
        jailTerm = jailTerm_;
        epochLength = staking_.epochLength();
        _setBurnFee(burnFee_);
        _setNoticePeriod(noticePeriod_);
    }

    // ---------------------------------------------------------------------------------------------------- fund and collect

    /// @inheritdoc IPayments
    function fund(address payer, address payee, uint256 amount) external {
        if (amount == 0) revert ZeroAmount();
        if (payer == address(0) || payee == address(0)) revert ZeroAddress();
        ChannelState storage c = _channels[payer][payee];
        uint96 balance = c.balance + amount.toUint96();
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
        ChannelState storage c = _channels[payer][payee];
        uint256 collected = c.collected;
        if (cumulative <= collected) revert NothingToCollect(payer, payee, cumulative, collected);
        if (c.balance == 0) revert InsufficientBalance(0, cumulative - collected);
        uint256 fee;
        (paid, fee) = _collect(c, payer, payee, cumulative, _burnFee);
        _burn(fee);
    }

    /// @inheritdoc IPayments
    function collectMany(SignedVoucher[] calldata vouchers) external returns (uint256 paid) {
        bytes32 domain = registry.domainSeparator();
        uint256 fees;
        for (uint256 i; i < vouchers.length; ++i) {
            SignedVoucher calldata v = vouchers[i];
            _requireVoucher(domain, v.payer, v.payee, v.cumulative, v.signature);
            ChannelState storage c = _channels[v.payer][v.payee];
            if (v.cumulative <= c.collected || c.balance == 0) continue;
            (uint256 net, uint256 fee) = _collect(c, v.payer, v.payee, v.cumulative, _burnFee);
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

    /// @dev Pays one voucher that has something to collect, from a channel with a balance. The fee stays here to be burned.
    function _collect(ChannelState storage c, address payer, address payee, uint256 cumulative, uint256 burnFee_)
        internal
        returns (uint256 paid, uint256 fee)
    {
        // amount = min(cumulative - collected, balance); collected <= cumulative ever after
        uint256 collected = c.collected;
        uint256 balance = c.balance;
        uint256 amount = Math.min(cumulative - collected, balance);
        fee = amount.mulUp(burnFee_);
        paid = amount - fee;

        collected += amount;
        balance -= amount;
        // What is collected is taken from what does not thaw first, then from what does: funds that come later have not thawed.
        uint40 thawsAt = c.thawsAt;
        if (thawsAt != 0 && c.thawing > balance) {
            c.thawing = balance.toUint96();
            if (balance == 0) thawsAt = 0;
        }
        (c.collected, c.balance, c.thawsAt) = (collected.toUint120(), balance.toUint96(), thawsAt);
        _recordWork(payer, payee, amount);

        emit Collected(payer, payee, amount, fee, cumulative, collected, balance);
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
        (c.thawing, c.thawsAt) = (amount.toUint96(), thawsAt.toUint40());
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

        uint256 balance = c.balance - amount;
        c.balance = balance.toUint96();
        (c.thawing, c.thawsAt) = (0, 0);
        emit ThawWithdrawn(payer, payee, amount, balance);
        SafeERC20.safeTransfer(cai, payer, amount);
    }

    function _requirePayer(address payer) internal view {
        if (msg.sender != payer && msg.sender != registry.nodeOf(payer)) revert Unauthorised(msg.sender, payer);
    }

    // ----------------------------------------------------------------------------------------------- stand behind vouchers

    /// @inheritdoc IPayments
    /// @dev What is own stake now stays so: Staking lets the operator undelegate only what does not stand behind vouchers.
    function setBacking(uint256 amount) external {
        _requireCoordinator(msg.sender);
        uint256 epoch = _currentEpoch();
        Backing memory b = _backings[msg.sender];
        b.settle(epoch);
        if (amount == (b.lowersIn == 0 ? b.amount : b.lowered)) revert BackingUnchanged(msg.sender, amount);
        if (amount > b.amount) {
            uint256 stake = staking.assetsOf(msg.sender, msg.sender);
            if (amount > stake) revert InsufficientStake(msg.sender, stake, amount);
        }
        b.set(amount, staking.maturityOf(epoch));
        _backings[msg.sender] = b;
        emit BackingSet(msg.sender, b.amount, b.lowered, b.lowersIn);
    }

    /// @inheritdoc IPayments
    /// @dev The share is of the start of the epoch before this one: stake that came for the notice is not in it. It is kept here because Staking
    /// does not remember it for long.
    function notify(address payer, address payee, uint256 cumulative, bytes calldata signature) external {
        _requireVoucher(registry.domainSeparator(), payer, payee, cumulative, signature);
        _requireCoordinator(payer);
        ChannelState storage c = _channels[payer][payee];
        uint256 collected = c.collected;
        if (cumulative <= collected) revert NothingToCollect(payer, payee, cumulative, collected);
        uint256 balance = c.balance;
        if (cumulative - collected <= balance) revert Covered(payer, payee, cumulative, balance);
        Notice storage n = _notices[payer][payee][cumulative];
        if (n.endsAt != 0) revert NoticeKnown(payer, payee, cumulative, n.endsAt);

        uint256 share = _shareDown(payee, Role.Miner, _currentEpoch() - 1);
        uint256 endsAt = block.timestamp + _noticePeriod;
        (n.endsAt, n.share) = (endsAt.toUint64(), share.toUint64());
        emit Notified(payer, payee, cumulative, cumulative - collected - balance, share, endsAt, msg.sender);
    }

    /// @inheritdoc IPayments
    function enforce(address payer, address payee, uint256 cumulative) external returns (uint256 covered) {
        Notice memory n = _notices[payer][payee][cumulative];
        if (n.endsAt == 0) revert NoticeUnknown(payer, payee, cumulative);
        if (block.timestamp < n.endsAt) revert NoticeRunning(n.endsAt, block.timestamp);
        ChannelState storage c = _channels[payer][payee];
        uint256 collected = c.collected;
        if (cumulative <= collected) revert NothingToCollect(payer, payee, cumulative, collected);
        delete _notices[payer][payee][cumulative];

        uint256 fee;
        if (c.balance != 0) (, fee) = _collect(c, payer, payee, cumulative, _burnFee);
        uint256 unpaid = cumulative - c.collected;
        if (unpaid != 0) {
            covered = _cover(c, payer, payee, unpaid, n.share);
            staking.jail(payer, jailTerm);
        }
        emit Enforced(payer, payee, cumulative, covered, unpaid - covered, c.collected, backingOf(payer), unpaid != 0);
        _burn(fee);
    }

    /// @dev Pays from the payer's own stake what its backing is good for. Written after the call, since less than the backing may be left of that
    /// stake; Staking moves numbers only and hands control to nobody.
    function _cover(ChannelState storage c, address payer, address payee, uint256 unpaid, uint256 share)
        internal
        returns (uint256 covered)
    {
        Backing memory b = _backings[payer];
        b.settle(_currentEpoch());
        covered = Math.min(unpaid, b.leftDown(share, c.covered));
        if (covered == 0) return 0;
        covered = staking.payFromOwn(payer, covered, payee);
        b.pay(covered);
        _backings[payer] = b;
        (c.collected, c.covered) = ((c.collected + covered).toUint120(), (c.covered + covered).toUint128());
    }

    function _requireCoordinator(address operator) internal view {
        if (registry.roleOf(operator) != Role.Coordinator) revert NotCoordinator(operator);
    }

    // --------------------------------------------------------------------------------------------------------------- work

    /// @dev Notes for the mining stream who paid whom how much in this epoch, and for a payer's first time what share of the stream its work earns:
    /// so that it can be claimed long after Staking forgot the weights.
    function _recordWork(address payer, address payee, uint256 amount) internal {
        uint256 epoch = _currentEpoch();
        uint128[EPOCHS] storage fees = _fees[payer][payee];
        uint128 before = fees[epoch];
        // Asked once: neither can change within the epoch.
        if (before == 0 && _weightAt(payee, Role.Miner, epoch) == 0) return;
        fees[epoch] = before + amount.toUint128();

        Work storage w = _works[payer][epoch];
        uint128 sum = w.fees;
        if (sum == 0) {
            uint64 share = _shareDown(payer, Role.Coordinator, epoch).toUint64();
            w.share = share;
            if (share != 0) _sharesWorked[epoch] += share;
        }
        w.fees = sum + amount.toUint128();
    }

    /// @dev share = floor(weight / total weight of the role) at the start of `epoch`
    function _shareDown(address operator, Role role, uint256 epoch) internal view returns (uint256) {
        uint256 weight = _weightAt(operator, role, epoch);
        return weight == 0 ? 0 : weight * WAD / staking.totalWeightAt(role, epoch);
    }

    /// @dev Weight at the start of `epoch` in this role; an operator has one role for ever.
    function _weightAt(address operator, Role role, uint256 epoch) internal view returns (uint256) {
        return registry.roleOf(operator) == role ? staking.weightAt(operator, epoch) : 0;
    }

    function _currentEpoch() internal view returns (uint256) {
        return block.timestamp / epochLength;
    }

    // ------------------------------------------------------------------------------------------------------------- govern

    /// @inheritdoc IPayments
    function setBurnFee(uint256 burnFee_) external onlyOwner {
        _setBurnFee(burnFee_);
    }

    /// @inheritdoc IPayments
    function setNoticePeriod(uint256 noticePeriod_) external onlyOwner {
        _setNoticePeriod(noticePeriod_);
    }

    function _setBurnFee(uint256 burnFee_) internal {
        if (burnFee_ > MAX_BURN_FEE) revert InvalidParameter("burnFee", burnFee_);
        _burnFee = burnFee_.toUint64();
        emit BurnFeeSet(burnFee_);
    }

    function _setNoticePeriod(uint256 noticePeriod_) internal {
        if (noticePeriod_ < epochLength || noticePeriod_ > epochLength.mulDown(MAX_NOTICE_EPOCHS)) {
            revert InvalidParameter("noticePeriod", noticePeriod_);
        }
        _noticePeriod = noticePeriod_.toUint64();
        emit NoticePeriodSet(noticePeriod_);
    }

    // -------------------------------------------------------------------------------------------------------------- views

    /// @inheritdoc IPayments
    function channel(address payer, address payee) external view returns (Channel memory) {
        ChannelState memory c = _channels[payer][payee];
        return Channel({balance: c.balance, collected: c.collected, thawing: c.thawing, thawsAt: c.thawsAt});
    }

    /// @inheritdoc IPayments
    function backingOf(address payer) public view returns (uint256) {
        return backing(payer).amount;
    }

    /// @inheritdoc IPayments
    function backing(address payer) public view returns (BackingState memory) {
        Backing memory b = _backings[payer];
        b.settle(_currentEpoch());
        return BackingState({amount: b.amount, lowered: b.lowered, lowersIn: b.lowersIn, paid: b.paid});
    }

    /// @inheritdoc IPayments
    function coveredOf(address payer, address payee) external view returns (uint256) {
        return _channels[payer][payee].covered;
    }

    /// @inheritdoc IPayments
    function notice(address payer, address payee, uint256 cumulative)
        external
        view
        returns (uint256 endsAt, uint256 share)
    {
        Notice memory n = _notices[payer][payee][cumulative];
        return (n.endsAt, n.share);
    }

    /// @inheritdoc IPayments
    function feesOf(uint256 epoch, address payer, address payee) external view returns (uint256) {
        return _fees[payer][payee][epoch];
    }

    /// @inheritdoc IPayments
    function workOf(uint256 epoch, address payer) external view returns (uint256 fees, uint256 share) {
        Work memory w = _works[payer][epoch];
        return (w.fees, w.share);
    }

    /// @inheritdoc IPayments
    function sharesWorked(uint256 epoch) external view returns (uint256) {
        return _sharesWorked[epoch];
    }

    /// @inheritdoc IPayments
    function burnFee() external view returns (uint256) {
        return _burnFee;
    }

    /// @inheritdoc IPayments
    function noticePeriod() external view returns (uint256) {
        return _noticePeriod;
    }
}
