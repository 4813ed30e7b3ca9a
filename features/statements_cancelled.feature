@smoke @statements @statements-cancelled @critical
Feature: Cancelled streams
  A stream that was cancelled is over, and every version of the API says so.

  Background:
    Given the service is ready
    And it works on a test network
    And the synthetic user is signed in

  @writes @own-wallet
  Scenario: A cancelled stream is shown as cancelled by API v1 and API v2
    Given a recipient with a funded test account
    And the user has ordered a stream to the recipient
    And the user has started the stream
    When the user cancels the stream
    Then API v1 and API v2 show the stream as cancelled
