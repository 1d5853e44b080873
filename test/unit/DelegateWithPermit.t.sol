// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {BaseTest, IStaking} from "../utils/BaseTest.sol";

contract DelegateWithPermitTest is BaseTest {
    bytes32 internal constant PERMIT_TYPEHASH =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
    uint256 internal ownerKey;
    address internal owner;

    function setUp() public override {
        super.setUp();
        (owner, ownerKey) = makeAddrAndKey("owner");
        cai.transfer(owner, 100e18);
    }

    function _permit(uint256 key, uint256 value, uint256 deadline)
        internal
        view
        returns (uint8 v, bytes32 r, bytes32 s)
    {
        bytes32 structHash = keccak256(
            abi.encode(PERMIT_TYPEHASH, owner, address(staking), value, cai.nonces(owner), deadline)
        );
        return vm.sign(key, keccak256(abi.encodePacked(hex"1901", cai.DOMAIN_SEPARATOR(), structHash)));
    }

    function test_needsNoApproval() public {
        (uint8 v, bytes32 r, bytes32 s) = _permit(ownerKey, 100e18, block.timestamp);
        vm.expectEmit(address(staking));
        emit IStaking.Delegated(miner, bob, owner, 100e18, 100e18 * FIRST, 100e18, 100e18 * FIRST, 0);
        vm.prank(owner);
        uint256 shares = staking.delegateWithPermit(miner, 100e18, bob, block.timestamp, v, r, s);
        assertEq(staking.sharesOf(miner, bob), shares);
        assertEq(cai.balanceOf(owner), 0);
    }

    function test_toleratesThatSomebodyUsedThePermitFirst() public {
        (uint8 v, bytes32 r, bytes32 s) = _permit(ownerKey, 100e18, block.timestamp);
        vm.prank(bob);
        cai.permit(owner, address(staking), 100e18, block.timestamp, v, r, s);
        vm.prank(owner);
        staking.delegateWithPermit(miner, 100e18, owner, block.timestamp, v, r, s);
        assertEq(staking.assetsOf(miner, owner), 100e18);
    }

    function test_revertsIfThePermitIsNotTheCallers() public {
        (uint8 v, bytes32 r, bytes32 s) = _permit(minerKey, 100e18, block.timestamp);
        vm.prank(owner);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(staking), 0, 100e18)
        );
        staking.delegateWithPermit(miner, 100e18, owner, block.timestamp, v, r, s);
    }

    function test_spendsNobodyElsesPermit() public {
        (uint8 v, bytes32 r, bytes32 s) = _permit(ownerKey, 100e18, block.timestamp);
        vm.prank(bob);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(staking), 0, 100e18)
        );
        staking.delegateWithPermit(miner, 100e18, bob, block.timestamp, v, r, s);
    }

    function test_revertsOnNothing() public {
        (uint8 v, bytes32 r, bytes32 s) = _permit(ownerKey, 0, block.timestamp);
        vm.prank(owner);
        vm.expectRevert(IStaking.ZeroAmount.selector);
        staking.delegateWithPermit(miner, 0, owner, block.timestamp, v, r, s);
    }
}
