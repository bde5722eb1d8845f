import { AuthenticationFailure } from '../../../../src/inbound/auth/credential';
import { JsonRpcError } from '../../../../src/inbound/json-rpc/json-rpc-error';

describe('an error that is a reply', () => {
  it.each([new JsonRpcError(-32600, 'Invalid Request'), new AuthenticationFailure('unauthorized', 'wrong_key')])(
    'does not record where it was made: %s',
    (error) => {
      expect(error.stack).not.toMatch(/^ +at /m);
      expect(error).toBeInstanceOf(Error);
    },
  );

  it('leaves other errors as they are', () => {
    void new JsonRpcError(-32600, 'Invalid Request');
    expect(new Error('another').stack).toMatch(/^ +at .*traceless-error\.spec/m);
  });
});
