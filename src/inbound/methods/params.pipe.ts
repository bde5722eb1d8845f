import { Injectable, type ArgumentMetadata, type PipeTransform } from '@nestjs/common';
import { refuseIfAny } from '../../core/domain/domain-error';
import { CoreSettings } from '../../core/ports/core-settings';
import { bindParams } from './bind-params';
import type { ParamsClass } from './params-rules';
import { RawParams } from '../json-rpc/raw-params';

/** A refusal must not be many times as long as the request. */
const MAX_REPORTED_PROBLEMS = 1000;

/** Gives a handler the params class that it declares, or refuses the call and names everything that is wrong. */
@Injectable()
export class ParamsPipe implements PipeTransform {
  constructor(private readonly settings: CoreSettings) {}

  transform(given: unknown, { metatype }: ArgumentMetadata): unknown {
    // Nest passes the context through the pipe as well.
    if (!(given instanceof RawParams)) return given;
    const { params, problems } = bindParams(metatype as ParamsClass, given, this.settings);
    refuseIfAny(problems.slice(0, MAX_REPORTED_PROBLEMS));
    return params;
  }
}
