// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {BaseTest, IPayments} from "../utils/BaseTest.sol";

/// Construction, and what the owner may set.
contract PaymentsParametersTest is BaseTest {
    struct Arguments {
        address cai;
        address staking;
        address registry;
        uint256 thawPeriod;
        uint256 burnFee;
        uint256 noticePeriod;
        uint256 jailTerm;
        address owner;
    }

    function _expect(string memory name, uint256 value) internal {
        vm.expectRevert(abi.encodeWithSelector(IPayments.InvalidParameter.selector, name, value));
    }

    /// @dev At the address that the network's Staking knows, so that everything else can be checked.
    function _construct(Arguments memory a) internal {
        bytes memory code = bytes.concat(vm.getCode("Payments.sol:Payments"), abi.encode(a));
        vm.etch(address(payments), code);
        (bool success, bytes memory runtime) = address(payments).call("");
        if (!success) {
            assembly ("memory-safe") {
                revert(add(runtime, 0x20), mload(runtime))
            }
        }
        vm.etch(address(payments), runtime);
    }

    /// @dev For vm.expectRevert, which wants a call.
    function construct(Arguments memory a) external {
        _construct(a);
    }

    function _arguments() internal view returns (Arguments memory) {
        return Arguments(address(cai), address(staking), address(registry), THAW, BURN_FEE, NOTICE, JAIL, timelock);
    }

    function test_parameters() public view {
        assertEq(payments.thawPeriod(), THAW);
        assertEq(payments.burnFee(), BURN_FEE);
        assertEq(payments.noticePeriod(), NOTICE);
        assertEq(payments.jailTerm(), JAIL);
        assertEq(payments.epochLength(), EPOCH);
        assertEq(Ownable(address(payments)).owner(), timelock);
    }

    function test_constructor() public {
        Arguments memory a = _arguments();
        a.cai = address(0);
        vm.expectRevert(IPayments.ZeroAddress.selector);
        this.construct(a);
        a = _arguments();
        a.staking = address(0);
        vm.expectRevert(IPayments.ZeroAddress.selector);
        this.construct(a);
        a = _arguments();
        a.registry = address(0);
        vm.expectRevert(IPayments.ZeroAddress.selector);
        this.construct(a);
        a = _arguments();
        a.owner = address(0);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableInvalidOwner.selector, address(0)));
        this.construct(a);
        a = _arguments();
        a.registry = address(lens);
        _expect("registry", uint160(address(lens)));
        this.construct(a);
        // Staking of a network with other payments.
        _expect("staking", uint160(address(staking)));
        this.deploy("Payments", abi.encode(_arguments()));
    }

    function test_constructorsBounds() public {
        Arguments memory a = _arguments();
        a.thawPeriod = 0;
        _expect("thawPeriod", 0);
        this.construct(a);
        // Longer than a replaced node's vouchers are good.
        a.thawPeriod = GRACE + 1;
        _expect("thawPeriod", GRACE + 1);
        this.construct(a);
        a.thawPeriod = GRACE;
        a.burnFee = 0.1e18 + 1;
        _expect("burnFee", 0.1e18 + 1);
        this.construct(a);
        a.burnFee = 0.1e18;
        a.noticePeriod = EPOCH - 1;
        _expect("noticePeriod", EPOCH - 1);
        this.construct(a);
        a.noticePeriod = EPOCH * 3 / 2 + 1;
        _expect("noticePeriod", EPOCH * 3 / 2 + 1);
        this.construct(a);
        a.noticePeriod = EPOCH * 3 / 2;
        a.jailTerm = 0;
        _expect("jailTerm", 0);
        this.construct(a);
        a.jailTerm = 365 days + 1;
        _expect("jailTerm", 365 days + 1);
        this.construct(a);
        a.jailTerm = 365 days;
        _construct(a);
        assertEq(payments.jailTerm(), 365 days);
    }

    function test_setBurnFee() public {
        _expect("burnFee", 0.1e18 + 1);
        vm.prank(timelock);
        payments.setBurnFee(0.1e18 + 1);
        vm.expectEmit(address(payments));
        emit IPayments.BurnFeeSet(0.1e18);
        vm.prank(timelock);
        payments.setBurnFee(0.1e18);
        assertEq(payments.burnFee(), 0.1e18);

        _registerCoordinator(3_000_000e18);
        _fund(coordinator, miner, 100e18);
        payments.collect(coordinator, miner, 10e18, _voucher(coordinatorKey, coordinator, miner, 10e18));
        assertEq(cai.balanceOf(miner), 9e18);
        vm.prank(timelock);
        payments.setBurnFee(0);
        uint256 supply = cai.totalSupply();
        payments.collect(coordinator, miner, 20e18, _voucher(coordinatorKey, coordinator, miner, 20e18));
        assertEq(cai.balanceOf(miner), 19e18);
        assertEq(cai.totalSupply(), supply);
    }

    function test_setNoticePeriod() public {
        vm.startPrank(timelock);
        _expect("noticePeriod", EPOCH - 1);
        payments.setNoticePeriod(EPOCH - 1);
        _expect("noticePeriod", EPOCH * 3 / 2 + 1);
        payments.setNoticePeriod(EPOCH * 3 / 2 + 1);
        vm.expectEmit(address(payments));
        emit IPayments.NoticePeriodSet(EPOCH * 3 / 2);
        payments.setNoticePeriod(EPOCH * 3 / 2);
        assertEq(payments.noticePeriod(), EPOCH * 3 / 2);
        assertEq(payments.burnFee(), BURN_FEE);
        payments.setNoticePeriod(EPOCH);
    }

    function test_onlyTheOwner() public {
        address[3] memory others = [alice, guardian, address(this)];
        for (uint256 i; i < 3; ++i) {
            vm.startPrank(others[i]);
            vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, others[i]));
            payments.setBurnFee(0);
            vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, others[i]));
            payments.setNoticePeriod(EPOCH);
            vm.stopPrank();
        }
    }

    function test_ownershipChangesInTwoSteps() public {
        Ownable2Step owned = Ownable2Step(address(payments));
        vm.prank(timelock);
        owned.transferOwnership(alice);
        assertEq(owned.owner(), timelock);
        vm.prank(alice);
        owned.acceptOwnership();
        vm.prank(alice);
        payments.setBurnFee(0);
    }
}
