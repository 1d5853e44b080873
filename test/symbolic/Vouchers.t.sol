// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPayments} from "../../contracts/interfaces/IPayments.sol";
import {Role} from "../../contracts/interfaces/Messages.sol";
import {Vm} from "forge-std/Vm.sol";
import {deploy} from "./Deploy.sol";

/// @dev The contracts around Payments at their worst: a Registry that calls every signer liable, a token that moves whatever it is told to.
/// Nobody has a role, so that no work is recorded: that writes to other storage.
contract Careless {
    uint256 public constant epochLength = 1 days;
    uint256 public constant nodeGrace = 1 days;
    bytes32 public constant domainSeparator = keccak256("domain");

    /// Payments asks in its constructor whether it is meant.
    function payments() external view returns (address) {
        return msg.sender;
    }

    function registry() external view returns (address) {
        return address(this);
    }

    function isLiable(address, address, uint256) external pure returns (bool) {
        return true;
    }

    function nodeOf(address) external pure returns (address) {
        return address(0);
    }

    function roleOf(address) external pure returns (Role) {
        return Role.None;
    }

    function transfer(address, uint256) external pure returns (bool) {
        return true;
    }

    function transferFrom(address, address, uint256) external pure returns (bool) {
        return true;
    }

    function burn(uint256) external pure {}
}

/// @dev Payments as it is deployed: for all funds, vouchers and signatures. Recovering a signer is an unknown function to Halmos: any signature may be
/// anybody's, and all of them count.
contract VouchersSymbolic {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    address internal constant PAYER = address(0xa);
    address internal constant PAYEE = address(0xb);

    IPayments internal payments;

    function setUp() public {
        vm.warp(20_000 days);
        address careless = address(new Careless());
        bytes memory args = abi.encode(careless, careless, careless, 1 days, 0.02e18, 1 days, 1 days, address(this));
        payments = IPayments(deploy("Payments.sol:Payments", args));
    }

    function _channel() internal view returns (IPayments.Channel memory) {
        return payments.channel(PAYER, PAYEE);
    }

    /// @dev Whether it was collected; what it paid besides the burned part.
    function _collect(uint256 cumulative, bytes32 signature) internal returns (bool done, uint256 paid) {
        bytes memory answer;
        bytes memory rsv = abi.encodePacked(signature, bytes32(uint256(1)), uint8(27));
        (done, answer) = address(payments).call(abi.encodeCall(payments.collect, (PAYER, PAYEE, cumulative, rsv)));
        if (done) paid = abi.decode(answer, (uint256));
    }

    /// @dev What is collected grows, never past what was signed, by what the channel loses, and all of that is paid or burned.
    function check_collectedGrowsUpToTheVoucher(uint96 funds, uint256 cumulative, bytes32 signature) external {
        payments.fund(PAYER, PAYEE, funds);
        (bool done, uint256 paid) = _collect(cumulative, signature);
        if (!done) return;
        IPayments.Channel memory c = _channel();
        assert(c.collected > 0 && c.collected <= cumulative);
        assert(c.balance + c.collected == funds);
        assert(c.collected == cumulative || c.balance == 0);
        assert(paid <= c.collected);
    }

    /// @dev Two vouchers in any order pay no more than the larger of them, and an older one pays nothing after a newer.
    function check_vouchersNeverAddUp(uint96 funds, uint256 first, uint256 second, bytes32 one, bytes32 other)
        external
    {
        payments.fund(PAYER, PAYEE, funds);
        (bool done,) = _collect(first, one);
        if (!done) return;
        uint256 before = _channel().collected;
        (done,) = _collect(second, other);
        uint256 collected = _channel().collected;
        if (done) assert(collected > before && collected <= second);
        else assert(collected == before);
        if (second <= before) assert(!done);
    }

    /// @dev Asking back leaves what was collected and what is there alone, and is the payer's.
    function check_thawingLeavesWhatWasCollected(uint96 funds, uint256 amount, address caller) external {
        payments.fund(PAYER, PAYEE, funds);
        vm.prank(caller);
        (bool done,) = address(payments).call(abi.encodeCall(payments.thaw, (PAYER, PAYEE, amount)));
        IPayments.Channel memory c = _channel();
        assert(c.collected == 0 && c.balance == funds);
        if (!done) return;
        assert(c.thawing == amount && amount <= funds && c.thawsAt == block.timestamp + 1 days);
        assert(caller == PAYER || caller == address(0));
    }

    /// @dev What was asked back arrives when it has thawed, and not before; what a voucher took meanwhile is gone from it.
    function check_nothingIsTakenBackBeforeItThawed(
        uint96 funds,
        uint96 amount,
        uint256 cumulative,
        bytes32 signature,
        uint40 waited
    ) external {
        payments.fund(PAYER, PAYEE, funds);
        vm.prank(PAYER);
        payments.thaw(PAYER, PAYEE, amount);
        _collect(cumulative, signature);
        IPayments.Channel memory before = _channel();
        vm.warp(block.timestamp + waited);
        (bool done,) = address(payments).call(abi.encodeCall(payments.withdrawThawed, (PAYER, PAYEE)));
        IPayments.Channel memory c = _channel();
        assert(c.collected == before.collected);
        if (done) assert(waited >= 1 days && before.balance - c.balance <= amount);
        else assert(c.balance == before.balance);
    }
}
