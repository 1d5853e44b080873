// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {IMiningRewards} from "../../contracts/interfaces/IMiningRewards.sol";
import {IPayments} from "../../contracts/interfaces/IPayments.sol";
import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {ICAI} from "../utils/BaseTest.sol";
import {PaymentsHandler} from "./PaymentsHandler.sol";

contract PaymentsInvariants is Test {
    PaymentsHandler internal handler;
    IPayments internal payments;
    IStaking internal staking;
    IMiningRewards internal mining;
    ICAI internal cai;

    function setUp() public {
        handler = new PaymentsHandler();
        handler.setUp();
        (address a, address b, address c, address d) = handler.contracts();
        (payments, cai, staking, mining) = (IPayments(a), ICAI(b), IStaking(c), IMiningRewards(d));
        // What must come often to lead anywhere is there more than once.
        bytes4[24] memory verbs = [
            handler.fund.selector,
            handler.sign.selector,
            handler.sign.selector,
            handler.collect.selector,
            handler.collect.selector,
            handler.collectMany.selector,
            handler.thaw.selector,
            handler.cancelThaw.selector,
            handler.withdrawThawed.selector,
            handler.renewNode.selector,
            handler.pass.selector,
            handler.pass.selector,
            handler.pass.selector,
            handler.setBacking.selector,
            handler.notify.selector,
            handler.notify.selector,
            handler.enforce.selector,
            handler.enforce.selector,
            handler.unjail.selector,
            handler.leave.selector,
            handler.stake.selector,
            handler.slash.selector,
            handler.claim.selector,
            handler.recycle.selector
        ];
        bytes4[] memory selectors = new bytes4[](25);
        for (uint256 i; i < 24; ++i) {
            selectors[i] = verbs[i];
        }
        selectors[24] = handler.fundMining.selector;
        targetSelector(FuzzSelector({addr: address(handler), selectors: selectors}));
        targetContract(address(handler));
    }

    /// forge-config: default.invariant.depth = 120
    /// forge-config: deep.invariant.depth = 128
    function invariant_payments() public view {
        _assertChannels();
        _assertBacking();
        _assertMining();
    }

    function _assertChannels() internal view {
        uint256 balances;
        uint256 paid;
        for (uint256 i; i < 2; ++i) {
            for (uint256 j; j < 2; ++j) {
                (address payer, address payee) = (handler.payers(i), handler.payees(j));
                IPayments.Channel memory c = payments.channel(payer, payee);
                uint256 covered = handler.covered(payer, payee);
                assertLe(c.collected, handler.signed(payer, payee), "never more than was signed");
                assertLe(c.thawing, c.balance);
                assertEq(c.thawing == 0, c.thawsAt == 0);
                assertEq(payments.coveredOf(payer, payee), covered);
                uint256 out = c.collected - covered + handler.takenBack(payer, payee);
                assertEq(c.balance + out, handler.funded(payer, payee), "nothing comes from nowhere");
                balances += c.balance;
                paid += c.collected - covered;
            }
        }
        assertEq(cai.balanceOf(address(payments)), balances, "held = sum of channels");
        uint256 received = handler.received(handler.payees(0)) + handler.received(handler.payees(1));
        assertEq(received + handler.burned(), paid, "what was collected was paid or burned");
        // Each fee is rounded up.
        assertGe(handler.burned() * 1e18, paid * 0.02e18);
    }

    function _assertBacking() internal view {
        for (uint256 i; i < 2; ++i) {
            address payer = handler.payers(i);
            IPayments.BackingState memory b = payments.backing(payer);
            uint256 covered = handler.covered(payer, handler.payees(0)) + handler.covered(payer, handler.payees(1));
            assertEq(b.paid, covered, "paid = sum over payees");
            assertLe(b.amount + b.paid, handler.putBehind(payer), "never more than its operator put behind it");
            assertLe(b.lowered, b.amount);
            assertEq(payments.backingOf(payer), b.amount);
            if (!handler.slashed(payer)) {
                assertGe(staking.assetsOf(payer, payer), b.amount, "stake left before its backing");
            }
        }
    }

    function _assertMining() internal view {
        uint256 promised = mining.remainder();
        (uint256 first, uint256 last, uint256 current) =
            (mining.firstEpoch(), mining.lastEpoch(), staking.currentEpoch());
        uint256 ended;
        for (uint256 e = first; e <= last; ++e) {
            uint256 emission = mining.emissionOf(e);
            if (e >= current) {
                promised += emission;
                continue;
            }
            ++ended;
            uint256 worked = payments.sharesWorked(e);
            assertLe(worked, 1e18, "shares sum to more than one");
            if (!mining.recycled(e)) promised += emission * (1e18 - worked) / 1e18;
            for (uint256 i; i < 4; ++i) {
                promised += mining.claimable(e, handler.payers(i / 2), handler.payees(i % 2));
            }
        }
        uint256 held = cai.balanceOf(address(mining));
        assertEq(held + handler.miningPaid() + handler.miningBurned(), handler.miningFunded(), "nothing is lost");
        assertGe(held, promised, "held covers what is promised");
        // Each of the divisions of an epoch leaves less than a wei.
        assertLe(held - promised, ended * 8, "nothing but dust is promised to nobody");
    }
}
