// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {IPayments} from "../../contracts/interfaces/IPayments.sol";
import {ICAI} from "../utils/BaseTest.sol";
import {PaymentsHandler} from "./PaymentsHandler.sol";

contract PaymentsInvariants is Test {
    PaymentsHandler internal handler;
    IPayments internal payments;
    ICAI internal cai;

    function setUp() public {
        handler = new PaymentsHandler();
        handler.setUp();
        (address a, address b) = handler.contracts();
        (payments, cai) = (IPayments(a), ICAI(b));
        bytes4[] memory verbs = new bytes4[](11);
        verbs[0] = handler.fund.selector;
        verbs[1] = handler.sign.selector;
        verbs[2] = handler.collect.selector;
        verbs[3] = handler.collectMany.selector;
        verbs[4] = handler.thaw.selector;
        verbs[5] = handler.cancelThaw.selector;
        verbs[6] = handler.withdrawThawed.selector;
        verbs[7] = handler.renewNode.selector;
        verbs[8] = handler.pass.selector;
        verbs[9] = handler.sign.selector;
        verbs[10] = handler.collect.selector;
        targetSelector(FuzzSelector({addr: address(handler), selectors: verbs}));
        targetContract(address(handler));
    }

    function invariant_payments() public view {
        uint256 balances;
        uint256 collected;
        for (uint256 i; i < 2; ++i) {
            for (uint256 j; j < 2; ++j) {
                (address payer, address payee) = (handler.payers(i), handler.payees(j));
                IPayments.Channel memory c = payments.channel(payer, payee);
                assertLe(c.collected, handler.signed(payer, payee), "never more than was signed");
                assertLe(c.thawing, c.balance);
                assertEq(c.thawing == 0, c.thawsAt == 0);
                uint256 out = c.collected + handler.takenBack(payer, payee);
                assertEq(c.balance + out, handler.funded(payer, payee), "nothing comes from nowhere");
                balances += c.balance;
                collected += c.collected;
            }
        }
        assertEq(cai.balanceOf(address(payments)), balances, "held = sum of channels");
        uint256 received = handler.received(handler.payees(0)) + handler.received(handler.payees(1));
        assertEq(received + handler.burned(), collected, "what was collected was paid or burned");
        // Each fee is rounded up.
        assertGe(handler.burned() * 1e18, collected * 0.02e18);
    }
}
